//! The gates of all AMs, as many as are in use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use uma_client::{Clock, Issuer};

use super::{Gate, GateLimits, lock};
use crate::Am;

/// How long a gate is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(600);
/// How often idle gates are looked for, at most.
const SWEEP: Duration = Duration::from_secs(60);

/// The gates of all AMs.
#[derive(Debug)]
pub(crate) struct Gates {
    limits: GateLimits,
    clock: Arc<dyn Clock>,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    gates: HashMap<Issuer, Used>,
    swept: Instant,
}

#[derive(Debug)]
struct Used {
    gate: Arc<Gate>,
    last: Instant,
}

impl Gates {
    pub(crate) fn new(limits: GateLimits, clock: Arc<dyn Clock>) -> Self {
        let table = Table {
            gates: HashMap::new(),
            swept: clock.monotonic(),
        };
        Self {
            limits,
            clock,
            table: Mutex::new(table),
        }
    }

    /// The gate before an AM. There are as many as the host's maps name AMs, without those that were not asked lately.
    pub(crate) fn before(&self, am: &Am) -> Arc<Gate> {
        let now = self.clock.monotonic();
        let mut table = lock(&self.table);
        if let Some(used) = table.gates.get_mut(am.issuer()) {
            used.last = now;
            return used.gate.clone();
        }
        table.sweep(now);
        let gate = Arc::new(Gate::new(
            am.label().clone(),
            self.limits,
            self.clock.clone(),
        ));
        let used = Used {
            gate: gate.clone(),
            last: now,
        };
        table.gates.insert(am.issuer().clone(), used);
        gate
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.table).gates.len()
    }

    pub(crate) const fn limits(&self) -> &GateLimits {
        &self.limits
    }
}

impl Table {
    /// Drops gates that nobody stands before and that have been idle for so long that a new one is no different: breakers
    /// are closed by then, and budgets full. Gates are handed out under the lock alone, so that no call can be under way at
    /// one that is dropped.
    fn sweep(&mut self, now: Instant) {
        let since = |then: Instant| now.saturating_duration_since(then);
        if since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        self.gates
            .retain(|_, used| Arc::strong_count(&used.gate) > 1 || since(used.last) < IDLE);
    }
}
