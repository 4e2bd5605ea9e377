//! Points at which a process may end: before and after each step of the store.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::Notify;

struct Armed {
    left: usize,
    hung: Arc<Notify>,
}

thread_local! {
    static ARMED: RefCell<Option<Armed>> = const { RefCell::new(None) };
}

/// The `n`th point from now on, on this thread, never ends; `hung` tells when it is reached.
pub(crate) fn arm(n: usize, hung: Arc<Notify>) {
    ARMED.with_borrow_mut(|armed| *armed = Some(Armed { left: n, hung }));
}

/// No point is armed any more. Says whether it was reached.
pub(crate) fn disarm() -> bool {
    ARMED.with_borrow_mut(Option::take).is_none()
}

tokio::task_local! {
    static SPARED: ();
}

/// Does work that a node does by itself, beside what is tested: no point is in it.
pub(crate) async fn spared<T>(work: impl Future<Output = T>) -> T {
    SPARED.scope((), work).await
}

/// Whether this is such work.
pub(crate) fn is_spared() -> bool {
    SPARED.try_with(|()| ()).is_ok()
}

/// A point.
pub(crate) async fn crash_point() {
    if is_spared() {
        return;
    }
    let hung = ARMED.with_borrow_mut(|armed| {
        let point = armed.as_mut()?;
        if point.left > 0 {
            point.left -= 1;
            return None;
        }
        armed.take().map(|point| point.hung)
    });
    if let Some(hung) = hung {
        hung.notify_one();
        std::future::pending::<()>().await;
    }
}
