use std::collections::HashMap;

use crate::error::{Error, ErrorKind};
use crate::secret::Secret;

/// Places that are remembered at most; the eldest refusals are forgotten together when there are more.
const MAX_PLACES: usize = 1024;

/// Keeps a requester from going round in circles: a fresh RPT may permit less than the host asks for, and then each exchange
/// ends in the same refusal.
///
/// ```
/// use uma_client::{RefusalGuard, Secret};
///
/// let mut guard = RefusalGuard::default();
/// let url = "https://host.example/api/photo";
/// assert!(guard.refused(url, None).is_ok(), "no RPT yet: get one");
/// assert!(guard.refused(url, Some(&Secret::new("rpt-1"))).is_ok(), "perhaps it was too old: get another");
/// assert!(guard.refused(url, Some(&Secret::new("rpt-2"))).is_err(), "more of them will not help");
/// guard.granted(url);
/// assert!(guard.refused(url, Some(&Secret::new("rpt-3"))).is_ok());
/// ```
#[derive(Debug)]
pub struct RefusalGuard {
    max: u32,
    places: HashMap<String, Place>,
}

#[derive(Debug)]
struct Place {
    refusals: u32,
    last: Secret,
}

impl RefusalGuard {
    /// Lets at most `max` exchanges follow refusals of an RPT at one place; 0 lets none.
    pub fn new(max: u32) -> Self {
        Self {
            max,
            places: HashMap::new(),
        }
    }

    /// The host refused a request to `url` (with its method, if that matters) that bore `rpt`, or none. `Ok`: a further
    /// exchange makes sense.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when the host has refused that many RPTs there, or the same RPT a second time.
    pub fn refused(&mut self, url: &str, rpt: Option<&Secret>) -> Result<(), Error> {
        let Some(rpt) = rpt else { return Ok(()) };
        if self.places.len() >= MAX_PLACES && !self.places.contains_key(url) {
            self.places.clear();
        }
        let (refusals, again) = match self.places.get_mut(url) {
            Some(place) => {
                let again = place.last == *rpt;
                place.refusals = place.refusals.saturating_add(1);
                place.last = rpt.clone();
                (place.refusals, again)
            }
            None => {
                let place = Place {
                    refusals: 1,
                    last: rpt.clone(),
                };
                self.places.insert(url.to_owned(), place);
                (1, false)
            }
        };
        if refusals > self.max || again {
            return Err(Error::new(
                ErrorKind::Refused,
                "the host still refuses a fresh RPT: the AM does not permit what is asked",
            ));
        }
        Ok(())
    }

    /// The host let a request to `url` in.
    pub fn granted(&mut self, url: &str) {
        self.places.remove(url);
    }
}

impl Default for RefusalGuard {
    /// One more exchange after the first refusal of an RPT.
    fn default() -> Self {
        Self::new(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_refusals_per_place() {
        let mut guard = RefusalGuard::new(3);
        for i in 0..3 {
            assert!(
                guard
                    .refused("a", Some(&Secret::new(format!("rpt-{i}"))))
                    .is_ok()
            );
        }
        assert!(guard.refused("a", Some(&Secret::new("rpt-9"))).is_err());
        assert!(guard.refused("b", Some(&Secret::new("rpt-9"))).is_ok());
        assert!(
            guard.refused("b", Some(&Secret::new("rpt-9"))).is_err(),
            "the same again"
        );
        assert!(
            RefusalGuard::new(0)
                .refused("a", Some(&Secret::new("r")))
                .is_err()
        );
    }

    #[test]
    fn memory_is_bounded_and_silent() {
        let mut guard = RefusalGuard::default();
        for i in 0..3000 {
            let _ = guard.refused(&i.to_string(), Some(&Secret::new("canary")));
        }
        assert!(guard.places.len() <= MAX_PLACES);
        assert!(!format!("{guard:?}").contains("canary"));
    }
}
