//! The whole host against an AM in memory.

mod connect;
mod crash;
mod enforce;
mod reconcile;
mod share;
