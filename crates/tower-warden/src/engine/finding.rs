//! Finding the map of a request: at once, or when the store has answered; where the request demands it, among maps that are
//! at least as new as a change that its sender knows of.

use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tokio::time::timeout;

use super::Shared;
use crate::event::{On, Trail};
use crate::head::OwnedHead;
use crate::verdict::State;
use crate::{
    CanonicalPath, Judgement, Lookup, LookupError, Reach, Reason, Refusal, RequestHead, Resolution,
    Target, Unmapped,
};

/// The field by which a request demands maps of a certain epoch or a later one: a decimal number without sign. It counts
/// where the host accepts it ([`WardenBuilder::accept_min_epoch`](crate::WardenBuilder::accept_min_epoch)).
pub const MIN_EPOCH_HEADER: &str = "warden-min-epoch";

type Finding = Pin<Box<dyn Future<Output = Result<Resolution, LookupError>> + Send>>;

impl Shared {
    pub(super) fn find_and_judge(
        self: &Arc<Self>,
        head: &RequestHead<'_>,
        path: &CanonicalPath<'_>,
        unmapped: Unmapped,
        trail: Trail,
    ) -> State {
        let demanded = if self.min_epoch {
            min_epoch(head.headers())
        } else {
            Ok(None)
        };
        let reach = match demanded {
            Ok(None) => Reach::Now,
            Ok(Some(epoch)) => self.maps.reach(epoch),
            Err(Malformed) => {
                let refusal = Refusal::plain(Reason::MalformedMinEpoch, StatusCode::BAD_REQUEST);
                return self.refuse(&trail, On::Nothing, refusal);
            }
        };
        let finding = match reach {
            Reach::Now => match self.maps.find(&Target::new(&self.site, path, head.verb())) {
                Lookup::Ready(found) => {
                    return self.judge_found(head, path, unmapped, trail, found);
                }
                Lookup::Later(finding) => finding,
            },
            Reach::Later(reaching) => self.find_after(reaching, head, path),
        };
        let shared = Arc::clone(self);
        let head = OwnedHead::from(head);
        let path = path.clone().into_owned();
        let mode = trail.mode;
        State::Later(Box::pin(async move {
            let found = timeout(shared.gates.limits().deadline(), finding)
                .await
                .unwrap_or_else(|late| Err(LookupError::new(late)));
            let state = shared.judge_found(&head.as_head(), &path, unmapped, trail, found);
            Judgement { mode, state }.await
        }))
    }

    fn find_after(
        self: &Arc<Self>,
        reaching: Pin<Box<dyn Future<Output = Result<(), LookupError>> + Send>>,
        head: &RequestHead<'_>,
        path: &CanonicalPath<'_>,
    ) -> Finding {
        let shared = Arc::clone(self);
        let path = path.clone().into_owned();
        let method = head.verb().clone();
        Box::pin(async move {
            reaching.await?;
            match shared.maps.find(&Target::new(&shared.site, &path, &method)) {
                Lookup::Ready(found) => found,
                Lookup::Later(finding) => finding.await,
            }
        })
    }
}

/// The field is there more than once, or is no number.
#[derive(Debug, PartialEq, Eq)]
struct Malformed;

fn min_epoch(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut fields = headers.get_all(MIN_EPOCH_HEADER).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    let digits = field.as_bytes();
    if fields.next().is_some() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .map(Some)
        .ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::{HeaderValue, Request};

    use super::*;
    use crate::fake::FakeAm;
    use crate::{Engine, MemoryMaps, ResourceMaps, Verdict, WardenLayer};

    #[test]
    fn it_is_a_number_and_stands_once() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(MIN_EPOCH_HEADER, HeaderValue::from_str(value).unwrap());
            }
            min_epoch(&headers)
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["0"]), Ok(Some(0)));
        assert_eq!(read(&["18446744073709551615"]), Ok(Some(u64::MAX)));
        for bad in [
            &[""][..],
            &["+1"],
            &["-1"],
            &["1 "],
            &["1.0"],
            &["0x1"],
            &["18446744073709551616"],
            &["1", "1"],
        ] {
            assert_eq!(read(bad), Err(Malformed), "{bad:?}");
        }
    }

    /// Maps that can be had up to an epoch, and note what was demanded.
    #[derive(Default)]
    struct Upto(u64, Mutex<Vec<u64>>);

    impl ResourceMaps for Upto {
        fn find(&self, _: &Target<'_>) -> Lookup {
            Resolution::Unmapped.into()
        }

        fn reach(&self, epoch: u64) -> Reach {
            self.1.lock().unwrap().push(epoch);
            let reached = epoch <= self.0;
            Reach::Later(Box::pin(async move {
                if reached {
                    Ok(())
                } else {
                    Err(LookupError::new("not there yet"))
                }
            }))
        }
    }

    fn engine(maps: impl ResourceMaps, accept: bool) -> Engine {
        let builder = WardenLayer::builder()
            .maps(maps)
            .protection(FakeAm::default())
            .guard("/api", Unmapped::Pass);
        let builder = if accept {
            builder.accept_min_epoch()
        } else {
            builder
        };
        builder.build().unwrap().engine().clone()
    }

    async fn get(engine: &Engine, epoch: &str) -> u16 {
        let request = Request::get("/api/x").header(MIN_EPOCH_HEADER, epoch);
        let request = request.body(()).unwrap();
        match engine.judge(&RequestHead::of(&request)).await {
            Verdict::Refuse(refusal) => refusal.status().as_u16(),
            _ => 200,
        }
    }

    #[tokio::test]
    async fn a_request_waits_for_what_it_demands_or_is_refused() {
        let maps = Arc::new(Upto(7, Mutex::default()));
        let accepting = engine(Arc::clone(&maps), true);
        assert_eq!(get(&accepting, "7").await, 200);
        assert_eq!(get(&accepting, "8").await, 503);
        assert_eq!(get(&accepting, "eight").await, 400);
        assert_eq!(*maps.1.lock().unwrap(), [7, 8]);
        let deaf = engine(Arc::clone(&maps), false);
        assert_eq!(get(&deaf, "eight").await, 200, "it was not asked for");
        assert_eq!(maps.1.lock().unwrap().len(), 2);
        // Maps in memory are as new as can be.
        assert_eq!(get(&engine(MemoryMaps::new(), true), "8").await, 200);
    }
}
