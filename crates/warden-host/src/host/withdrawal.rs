//! How soon an owner's "no" at the AM holds here.

use super::{Ams, Host};
use crate::store::MapRecord;
use crate::{AmSetting, Withdrawal};

impl Host {
    pub(super) fn withdrawal(&self, row: &MapRecord) -> Withdrawal {
        let inner = &self.inner;
        let outlives = |setting: &AmSetting| setting.profile.tokens_outlive_policies;
        let Some(setting) = inner.ams.setting_in_use(&row.issuer).filter(outlives) else {
            return Withdrawal::Soon;
        };
        let maps = inner.maps.snapshot();
        // Where maps are not all in memory it is not known without a look; then the later of the two is told.
        let live = maps.is_some_and(|maps| {
            maps.get(&row.site, &row.path_key)
                .is_some_and(|map| setting.live.is_for(map))
        });
        if live {
            Withdrawal::Soon
        } else {
            Withdrawal::WithTheToken
        }
    }
}

impl Ams {
    /// How an AM is spoken to: as the operator says, or as was found out.
    fn setting_in_use(&self, issuer: &uma_client::Issuer) -> Option<AmSetting> {
        let found = self.remembered(issuer).map(|entry| entry.setting.clone());
        found.or_else(|| self.setting(issuer))
    }
}
