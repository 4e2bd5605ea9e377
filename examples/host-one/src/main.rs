//! Host One, the demo host: people, their data, Warden around the API, and the pages for sharing.

mod api;
mod app;
mod data;
mod demo;
mod embedded;
mod log;
mod notices;
mod options;
mod pages;
mod people;
mod second;
mod session;
mod starting;
mod status;
mod tour;

use std::process::ExitCode;

use clap::Parser;

use crate::log::Log;
use crate::options::{Command, Options};

/// An error for the one who started the program: a single line that says what happened and what to do.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        // Help and version are no errors.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{}", first_paragraph(&error.to_string()));
            return ExitCode::from(2);
        }
    };
    let log = Log::init(options.default_log_filter());
    match run(options, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("host-one: {}", uma_client::Chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options, log: &Log) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match options.command {
            None => demo::serve(options.serve, log).await,
            Some(Command::Serve(serve)) => demo::serve(*serve, log).await,
            Some(Command::Tour(tour)) => tour::run(&tour).await,
        }
    })
}

/// What clap says of a wrong option, without the usage that follows, on one line.
fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage") && !line.starts_with("For more"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ").replacen("error:", "host-one:", 1)
}
