//! Rows that are not what they were, for tests.

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
