//! The gateway as a whole, in this process: real sockets, a real journal, and the sandbox as Meta.

mod client;
mod doors;
mod harness;
mod lanes;
mod secrecy;
