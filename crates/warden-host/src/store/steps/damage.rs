//! Rows that are not what they were, for tests.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Backend;
use crate::store::suite::Damage;

impl Damage for Backend {
    async fn sql(&self, text: &'static str) {
        let mut tx = self.begin_write().await.unwrap();
        sqlx::query(text).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

impl Backend {
    /// Sets the clock that leases go by on. The other stores on the same database have to be told, too.
    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.ahead.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets the database back to an epoch.
    pub(crate) async fn set_back(&self, epoch: i64) {
        let mut tx = self.begin_write().await.unwrap();
        for statement in [
            "UPDATE warden_epoch SET value = $1",
            "DELETE FROM warden_resource_map WHERE changed_epoch > $1",
            "UPDATE warden_node SET applied = $1 WHERE applied > $1",
        ] {
            sqlx::query(statement)
                .bind(epoch)
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Makes a row one that can't be understood.
    pub(crate) async fn damage_map(&self, path: &str) {
        let mut tx = self.begin_write().await.unwrap();
        sqlx::query("UPDATE warden_resource_map SET scopes = '[]' WHERE path_key = $1")
            .bind(path)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Cuts an owner's PAT off.
    pub(crate) async fn damage_pat(&self, owner: &str) {
        let mut tx = self.begin_write().await.unwrap();
        sqlx::query(
            "UPDATE warden_connection SET access_token = substr(access_token, 1, 40) WHERE owner = $1",
        )
        .bind(owner)
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
}
