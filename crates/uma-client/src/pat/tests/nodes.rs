//! Several nodes that share a store.

use tokio::sync::Mutex as AsyncMutex;

use super::*;

/// A store that lets one node renew at a time.
#[derive(Clone, Default)]
struct Shared {
    store: Store,
    renewing: Arc<AsyncMutex<()>>,
    refuses: Arc<AtomicBool>,
}

impl PatStore for Shared {
    async fn load(&self) -> Result<PatState, Error> {
        self.store.load().await
    }

    async fn save(&self, pat: &StoredPat) -> Result<(), Error> {
        self.store.save(pat).await
    }

    async fn needs_consent(&self) -> Result<(), Error> {
        self.store.needs_consent().await
    }

    async fn claim_renewal(&self) -> Result<RenewalClaim, Error> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Error::store("claiming a renewal", "another node is at it"));
        }
        Ok(RenewalClaim::held(
            Arc::clone(&self.renewing).lock_owned().await,
        ))
    }
}

/// Two nodes beside the one that comes with the AM, which does nothing.
fn two_nodes(am: &Am) -> (PatKeeper, PatKeeper, Shared) {
    let shared = Shared {
        store: am.store.clone(),
        ..Shared::default()
    };
    let node = || {
        let clock: Arc<dyn Clock> = Arc::new(am.clock.clone());
        let client = am.keeper.client().clone();
        PatKeeper::new(client, PatGrant::OwnerConsent, shared.clone(), clock)
    };
    (node(), node(), shared)
}

#[tokio::test]
async fn of_two_nodes_one_asks_and_both_have_what_came_of_it() {
    let am = Am::owner();
    let (one, two, _) = two_nodes(&am);
    for round in 1..=3 {
        am.clock.advance(Duration::from_secs(250));
        let (first, second) = tokio::join!(one.pat(), two.pat());
        let first = first.unwrap();
        assert_eq!(first.expose(), format!("canary-pat-{round}"));
        assert_eq!(first, second.unwrap());
        assert_eq!(am.renewals(), round);
        let PatState::Held(held) = am.store.memory.state() else {
            panic!("it is held");
        };
        let refresh = held.refresh_token.unwrap();
        assert_eq!(refresh.expose(), format!("canary-refresh-{round}"));
    }
}

#[tokio::test]
async fn a_dead_pat_is_renewed_by_one_of_two() {
    let am = Am::owner();
    let (one, two, _) = two_nodes(&am);
    let dead = one.pat().await.unwrap();
    assert_eq!(two.pat().await.unwrap(), dead);
    let (first, second) = tokio::join!(one.after_death(&dead), two.after_death(&dead));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(am.renewals(), 1);
}

#[tokio::test]
async fn what_a_timer_wants_is_done_by_one_of_two() {
    let am = Am::owner();
    let (one, two, _) = two_nodes(&am);
    one.pat().await.unwrap();
    two.pat().await.unwrap();
    am.clock.advance(Duration::from_secs(901));
    // Both look at what they remember: more than half of the refresh token's life is over.
    let (first, second) = tokio::join!(
        one.keep_refresh_token_alive(),
        two.keep_refresh_token_alive()
    );
    assert!(first.unwrap().is_some() && second.unwrap().is_some());
    assert_eq!(am.renewals(), 1);
}

#[tokio::test]
async fn while_another_node_is_at_it_what_lives_serves() {
    let am = Am::owner();
    let (one, _, shared) = two_nodes(&am);
    let old = one.pat().await.unwrap();
    shared.refuses.store(true, Ordering::SeqCst);
    am.clock.advance(Duration::from_secs(250));
    assert_eq!(one.pat().await.unwrap(), old);
    am.clock.advance(Duration::from_secs(60));
    let error = one.pat().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(am.renewals(), 0);
    shared.refuses.store(false, Ordering::SeqCst);
    am.clock.advance(Duration::from_secs(2));
    assert_eq!(one.pat().await.unwrap().expose(), "canary-pat-1");
}
