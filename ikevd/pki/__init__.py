"""Certificates: own ones, and what a peer's prove. Pure; reads files in `files`, and never the clock."""
