"""The composition root: the only place where all objects meet."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any

import cryptography.x509  # noqa: F401  # all modules are loaded before READY: a distinguished name may come later

from ikevd import __version__
from ikevd.config.load import Loaded
from ikevd.control.controller import EngineController
from ikevd.control.server import ControlServer
from ikevd.errors import Finding, IkeError, KernelRefused
from ikevd.frozen import frozen
from ikevd.hooks import program
from ikevd.hooks.environment import environment
from ikevd.hooks.nft import NftClamps, Watch, table_of
from ikevd.hooks.queue import HookQueue
from ikevd.host.clamps import Clamps
from ikevd.host.entropy import SystemEntropy
from ikevd.host.events import KernelEvent, WaysChanged
from ikevd.host.hooks import HookCall
from ikevd.host.interface import Kernel
from ikevd.host.links import Links
from ikevd.host.routes import Routes
from ikevd.kernel.adapter import XfrmKernel
from ikevd.kernel.bypass import bypass_ipsec
from ikevd.kernel.encapsulation import take_esp
from ikevd.kernel.first_hop import first_hop
from ikevd.kernel.links import LinuxLinks
from ikevd.kernel.peer_routes import LinuxRoutes
from ikevd.kernel.place import place
from ikevd.kernel.unknown_esp import watch as watch_esp
from ikevd.kernel.ways import nftables_events
from ikevd.negotiation.agenda import agenda_of_many
from ikevd.negotiation.clamping import Clamping
from ikevd.negotiation.clock import boot_time
from ikevd.negotiation.engine import Engine
from ikevd.negotiation.hooks import Hooks
from ikevd.negotiation.names import Names
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.routing import Routing
from ikevd.next_boot import at_boot, connected, keep_blocks
from ikevd.observe import log
from ikevd.observe.counters import Counters
from ikevd.observe.history import History
from ikevd.observe.keylog import KeyLog
from ikevd.observe.words import say_error
from ikevd.obstacles import unforeseen
from ikevd.policy.proposals import format_esp
from ikevd.policy.route_based import leaves_open, resolved
from ikevd.policy.settings import Config, LogFormat, OnStop
from ikevd.policy.suites import DEFLATE, IpsecSuite
from ikevd.reloading import Reloading, with_kinds
from ikevd.runtime import RuntimeLock
from ikevd.sa.model import IsakmpSa
from ikevd.service.choose_holding import choose_holding
from ikevd.service.holding import Holding
from ikevd.service.notify import Notifier, watchdog
from ikevd.service.stop import Stop, stop_signal
from ikevd.store.interface import Store
from ikevd.store.opening import open_store
from ikevd.transport.inherited import name_of, take_over
from ikevd.transport.names import Resolver
from ikevd.transport.source import chosen_source
from ikevd.transport.udp import Prepare, UdpTransport

GARBAGE_THRESHOLDS = (10_000, 20, 50)
"""Objects, and generations (`gc.set_threshold`); Python's own are 700, 10 and 10."""


@frozen
class Options:
    """What the command line adds to the configuration."""

    key_log: Path | None = None
    only: log.Filter = field(default_factory=log.Filter)
    """Which negotiations are logged."""
    read: Callable[[], Loaded] | None = None
    """Reads the file again; None: there is none."""
    told: tuple[str, ...] = ()
    """Warnings of the file so far."""


@frozen
class Machine:
    """What tests and the bench replace of this machine."""

    kernel: Callable[[], AbstractContextManager[Kernel]] = XfrmKernel
    bypass: Prepare = bypass_ipsec
    take_esp: Prepare = take_esp
    links: Callable[[str], AbstractContextManager[Links]] = LinuxLinks
    routes: Callable[[str], AbstractContextManager[Routes]] = LinuxRoutes
    """Both of a machine whose peers are reached in that VRF."""
    clamps: Callable[[str, Watch], AbstractContextManager[Clamps]] = NftClamps


async def serve(config: Config, options: Options, environ: Mapping[str, str], machine: Machine | None = None) -> None:
    """Run until SIGTERM, SIGINT or SIGQUIT. Raises `IkeError` where the daemon cannot start."""
    async with AsyncExitStack() as stack:
        stop = stop_signal()
        asyncio.get_running_loop().set_exception_handler(_log_bug)
        try:
            notifier = stack.enter_context(Notifier(environ))
            hooks = HookQueue(partial(_run_hook, config.listen.vrf))
            stack.push_async_callback(_end_hooks, hooks)
            engine, holding, reloading = await _start(
                config, options, notifier, environ, machine or Machine(), hooks, stack
            )
        except OSError as error:
            raise unforeseen(error) from error
        await _run(engine, holding, notifier, stop, reloading)


async def _start(
    config: Config,
    options: Options,
    notifier: Notifier,
    environ: Mapping[str, str],
    machine: Machine,
    hooks: HookQueue,
    stack: AsyncExitStack,
) -> tuple[Engine, Holding, Reloading | None]:
    """Everything that the daemon needs, bound and connected; `stack` undoes it."""
    history, counters = History(time.time), Counters()
    history.listen(log.FactLog(options.only))
    store = _store(config, stack)
    kernel = await _probed(stack.enter_context(machine.kernel()), config)
    links = stack.enter_context(machine.links(config.listen.vrf))
    if leaves_open(config):
        config = resolved(config, await links.kinds())
    holding = choose_holding(notifier, environ, config.runtime, log.warning, process=config.listen.holder)
    stack.callback(holding.close)
    inherited = take_over((held.socket for held in holding.inherited()), config.listen)
    holding.keep({name_of(endpoint): udp for endpoint, udp in inherited.items()})
    transport = UdpTransport(
        config.listen,
        on_datagram=lambda octets, path: engine.datagram(octets, path),
        on_dropped=lambda reason: counters.count(f"drop: {reason}"),
        on_unreachable=lambda path, found, quoted: engine.hint_unreachable(path, found, quoted),
        prepare=machine.bypass,
        prepare_nat=machine.take_esp,
        inherited=inherited,
    )
    routing = Routing(stack.enter_context(machine.routes(config.listen.vrf)), store, log.warning, boot_time)
    clamps = stack.enter_context(machine.clamps(table_of(config.listen.addresses), nftables_events))
    clamping = Clamping(clamps, store, log.warning, boot_time, links.path_mtu)
    ports = _ports(config, options, transport, kernel, links, routing, clamping, store, history, counters, hooks, stack)
    engine = Engine(config, ports, connected(), at_boot(environ))
    engine.wait()
    transport.open()
    for warning in transport.warnings:
        log.warning(warning)
    stack.callback(transport.close)
    if config.listen.vrf:
        kernel.on_event(partial(_follow_vrf, transport, holding))
    reloading = _reloading(options, engine, kernel, links, notifier, holding, environ)
    reload = reloading.reload if reloading else None
    controller = EngineController(engine, history, counters, transport.endpoints, holding, reload)
    for settings in (config.control, config.control.looks):
        if settings is not None:
            server = ControlServer(controller, settings)
            stack.push_async_callback(server.close)
            await server.start()
    gc.disable()  # with thousands of peers a collection would take longer than all the rest
    if restored := await engine.restore():  # last of all: what cannot start leaves the kernel as it was
        log.restored(restored)
    endpoints = tuple(str(endpoint) for endpoint in transport.endpoints)
    log.started(__version__, endpoints, len(config.connections))
    keep_blocks(config, environ)
    holding.outlast(_longest_life(config))
    holding.keep(transport.sockets)
    _rarely_collect_garbage()
    return engine, holding, reloading


def _ports(
    config: Config,
    options: Options,
    transport: UdpTransport,
    kernel: Kernel,
    links: Links,
    routing: Routing,
    clamping: Clamping,
    store: Store,
    history: History,
    counters: Counters,
    hooks: HookQueue,
    stack: AsyncExitStack,
) -> Ports:
    """What the engine has of this machine."""
    return Ports(
        now=boot_time,
        due=agenda_of_many(boot_time),
        transmit=transport.send,
        keepalive=transport.keepalive,
        source_for=partial(chosen_source, config.listen.vrf),
        kernel=kernel,
        links=links,
        routing=routing,
        clamping=clamping,
        store=store,
        entropy=SystemEntropy(),
        history=history,
        counters=counters,
        trouble=log.warning,
        port=config.listen.port,
        export_key=_key_log(options, stack),
        nat_port=config.listen.nat_port,
        names=Names(Resolver().lookup),
        hooks=Hooks(hooks, log.warning),
    )


async def _run_hook(vrf: str, call: HookCall, up: bool) -> Finding | None:
    hop = first_hop(call.sa.remote, vrf)
    told = environment(call, up=up, interface=hop.interface if hop else None)
    return await program.run(call.updown, told, call.sa.child, up=up)


async def _end_hooks(hooks: HookQueue) -> None:
    """After the last `down`."""
    if cut := await hooks.close():
        log.warning(f"{cut} updown programs had not ended when ikevd ended, or were never begun")


def _reloading(
    options: Options,
    engine: Engine,
    kernel: Kernel,
    links: Links,
    notifier: Notifier,
    holding: Holding,
    environ: Mapping[str, str],
) -> Reloading | None:
    """What else than the engine a reload concerns."""
    if options.read is None:
        return None
    logged = _logged(engine.config)

    async def before(config: Config) -> None:
        await _probed(kernel, config, tried=engine.config)

    def after(config: Config) -> None:
        nonlocal logged
        if logged != (logged := _logged(config)):
            log.configure(config.log_format, config.log_level)
        keep_blocks(config, environ)
        holding.outlast(_longest_life(config))
        gc.freeze()

    reloading = Reloading(
        with_kinds(options.read, links), engine, notifier, before, after, connected=connected, told=options.told
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloading.ask)
    return reloading


def _logged(config: Config) -> tuple[LogFormat, str]:
    return config.log_format, config.log_level


def _longest_life(config: Config) -> float:
    """Seconds: no IPsec SA needs the sockets for longer than this."""
    return max((child.lifetime.seconds for c in config.connections for child in c.children), default=0.0)


def _rarely_collect_garbage() -> None:
    """Nearly all that a negotiation leaves is freed without the cycle collector, which walks over everything that
    lives: with thousands of tunnels, and a configuration to match, it would be a third of the work."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


async def _run(
    engine: Engine, holding: Holding, notifier: Notifier, stop: asyncio.Future[Stop], reloading: Reloading | None
) -> None:
    """Whatever fails, the engine stops: nothing of it stays in the kernel."""
    services = [asyncio.create_task(watchdog(notifier, lambda: True))]
    how = Stop.TAKE_DOWN
    try:
        engine.start()
        notifier.ready(f"ikevd {__version__} is ready")
        if reloading is not None:
            services.append(asyncio.create_task(reloading.serve()))
        if engine.config.unknown_esp:
            services.append(asyncio.create_task(watch_esp(engine.known_spis, engine.stray_esp, log.warning)))
        how = await stop
        notifier.stopping()
        log.stopping()
    finally:
        if reloading is not None:
            await reloading.close()
        await _end(engine, holding, how)
        for service in services:
            service.cancel()


async def _end(engine: Engine, holding: Holding, how: Stop) -> None:
    """Tunnels and sockets are kept for the next ikevd, or taken down."""
    config = engine.config
    if how is Stop.HAND_OVER and config.on_stop is OnStop.KEEP and await engine.hand_over():
        holding.outlast(_longest_life(config))
        log.handed_over(sockets_stay=holding.outlives_stop)
        return
    await engine.stop()
    holding.release()


async def _probed(kernel: Kernel, config: Config, tried: Config | None = None) -> Kernel:
    """The kernel, tried with every configured ESP suite, but for those that were `tried`."""
    known = _suites(tried) if tried is not None else {}
    for suite in [suite for suite in _suites(config) if suite not in known]:
        try:
            await kernel.probe(suite)
        except KernelRefused as refusal:
            raise KernelRefused(f"esp_proposals {format_esp(suite)}: {refusal}", refusal.errno) from refusal
    if _compresses(config) and not (tried is not None and _compresses(tried)):
        try:
            await kernel.probe(DEFLATE)
        except KernelRefused as refusal:
            log.warning(f"ipcomp: {refusal}; children that have it stay down where the peer has it, too")
    return kernel


def _compresses(config: Config) -> bool:
    return any(child.ipcomp for connection in config.connections for child in connection.children)


def _suites(config: Config) -> dict[IpsecSuite, None]:
    return {suite: None for c in config.connections for child in c.children for suite in child.suites}


def _store(config: Config, stack: AsyncExitStack) -> Store:
    """What an earlier process left in the runtime folder, which is ours alone."""
    stack.callback(RuntimeLock(config.runtime).release)
    opened = open_store(config.runtime / "store", place(), __version__, key=config.store_key)
    if opened.said:
        log.warning(opened.said)
    stack.callback(opened.store.close)
    return opened.store


def _key_log(options: Options, stack: AsyncExitStack) -> Callable[[IsakmpSa], None]:
    if options.key_log is None:
        return lambda sa: None
    keys = KeyLog(options.key_log)
    stack.callback(keys.close)
    log.key_log(options.key_log)
    return keys.write


def _follow_vrf(transport: UdpTransport, holding: Holding, event: KernelEvent) -> None:
    """One that was removed and made anew is another one."""
    try:
        if isinstance(event, WaysChanged) and transport.follow_vrf():
            holding.keep(transport.sockets)
    except IkeError as refusal:
        log.warning(say_error(refusal))


def _log_bug(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.internal_error(context["message"], context.get("exception"))
