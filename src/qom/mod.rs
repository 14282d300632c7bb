//! The object tree: list, get, set and tree over a client, and the file system behind `qom fuse`.
//!
//! Knows neither the shell nor the terminal.
