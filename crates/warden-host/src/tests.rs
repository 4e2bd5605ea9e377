//! The whole host against an AM in memory.

mod accesses;
mod again;
mod attend;
mod bulk;
mod connect;
mod crash;
mod detection;
mod draft03;
mod drift;
mod enforce;
mod keys;
mod leaving;
mod listing;
mod moving;
mod nodes;
mod reconcile;
mod share;
mod strategies;
