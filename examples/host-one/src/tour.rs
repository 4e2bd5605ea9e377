//! `host-one tour`: the whole story in one process, each exchange printed, nothing secret shown.

mod browser;
mod narrator;
mod story;

use std::sync::Arc;

use uma_client::{Http, ReqwestTransport};

use crate::options::{ServeOptions, TourOptions};
use crate::{Failure, demo};

pub(crate) use narrator::Narrator;

/// Runs the story; an error if a step did not go as it should.
pub(crate) async fn run(options: &TourOptions) -> Result<(), Failure> {
    let narrator = Arc::new(Narrator::new(options.verbose));
    let overheard = |speaker| {
        let transport = ReqwestTransport::new()?;
        Ok::<_, Failure>(Http::new(narrator::Overheard::new(
            speaker,
            transport,
            narrator.clone(),
        )))
    };
    let serve = ServeOptions::for_tour(options.dialect)?;
    let running = demo::start_with(serve, overheard("host")?).await?;
    narrator.place(&format!("http://{}", running.address), "host");
    narrator.place(running.issuer.as_str(), "AM");
    let told = story::tell(&narrator, &running, overheard("app")?).await;
    running.end().await?;
    told?;
    narrator.end();
    Ok(())
}
