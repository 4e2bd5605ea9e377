//! The second embedded AM, which `--second-am` asks for: so each owner has an AM of her or his own, and can move.

use tokio::sync::watch;
use uma_client::{AmProfile, Dialect, Issuer};
use warden_host::AmSetting;

use crate::Failure;
use crate::demo::listen;
use crate::embedded::{self, EmbeddedAm};
use crate::options::{AmAddress, ServeOptions};

/// What people read where there is one embedded AM.
const THE_ONLY: &str = "the embedded AM";
/// What they read where there are two.
const ONE: &str = "AM one";
const TWO: &str = "AM two";

/// Whether the first AM is embedded, and a second one beside it.
fn two(options: &ServeOptions) -> bool {
    options.second.second_am && matches!(options.am, AmAddress::Embedded)
}

/// What the first embedded AM is called.
pub(crate) fn name_of_first(options: &ServeOptions) -> &'static str {
    if two(options) { ONE } else { THE_ONLY }
}

/// Starts the second AM if it is wanted.
pub(crate) async fn start(
    options: &ServeOptions,
    stop: watch::Receiver<bool>,
) -> Result<Option<EmbeddedAm>, Failure> {
    if !options.second.second_am {
        return Ok(None);
    }
    let listener = listen(options.second.second_am_listen, "--second-am-listen").await?;
    let state = options.database.beside("second-am.json");
    let name = if two(options) { TWO } else { THE_ONLY };
    embedded::start(name, listener, Dialect::Uma2, state, stop).map(Some)
}

/// The second AM, for the host.
pub(crate) fn setting(options: &ServeOptions, issuer: Issuer) -> AmSetting {
    AmSetting::new(issuer)
        .with_name(if two(options) { TWO } else { THE_ONLY })
        .with_profile(AmProfile::uma2())
        .with_allow_insecure(true)
}
