//! The pages through the router, over a real host in memory and an AM that follows a script.

mod oauth;
mod owner;
mod protection;
mod refusals;
mod site;
mod story;
mod window;
