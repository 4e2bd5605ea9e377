//! A page of what an owner shares.

use tower_warden::OwnerId;
use uma_client::Issuer;

use super::{Backend, OrStore as _};
use crate::am_key::am_key;
use crate::store::rows::{RawMap, map_columns};
use crate::store::{MapsPage, MapsQuery};
use crate::{Error, Standing};

/// Which rows fit a query: owner, search (as a pattern), AM and standing; of the last three, empty is any.
macro_rules! fitting {
    () => {
        "m.owner = $1 AND m.state <> 'tombstone' \
         AND ($2 = '' OR m.search LIKE $2 ESCAPE '\\') AND ($3 = '' OR m.am_key = $3) \
         AND ($4 = '' OR $4 = CASE \
            WHEN m.withheld = TRUE OR m.state IN ('suspect', 'lost') OR (m.state = 'active' AND m.problem IS NOT NULL) \
              OR m.am_key NOT IN (SELECT c.am_key FROM warden_connection AS c WHERE c.owner = $1 \
                                  AND c.state = 'held') THEN 'problem' \
            WHEN m.state = 'pending' THEN 'pending' ELSE 'protected' END)"
    };
}

macro_rules! bound {
    ($query:expr, $owner:expr, $pattern:expr, $key:expr, $standing:expr) => {
        $query
            .bind($owner.as_str())
            .bind($pattern)
            .bind($key)
            .bind($standing)
    };
}

pub(super) async fn maps_page(
    store: &Backend,
    owner: &OwnerId,
    query: &MapsQuery,
) -> Result<MapsPage, Error> {
    let pattern = pattern(&query.search);
    let key = query.issuer.as_ref().map(am_key).unwrap_or_default();
    let standing = query.standing.map_or("", Standing::as_str);
    let mut tx = store.begin_read().await?;
    let all: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM warden_resource_map WHERE owner = $1 AND state <> 'tombstone'",
    )
    .bind(owner.as_str())
    .fetch_one(&mut *tx)
    .await
    .or_store()?;
    let matching = if pattern.is_empty() && key.is_empty() && standing.is_empty() {
        all
    } else {
        bound!(
            sqlx::query_scalar(concat!(
                "SELECT COUNT(*) FROM warden_resource_map AS m WHERE ",
                fitting!()
            )),
            owner,
            &pattern,
            &key,
            standing
        )
        .fetch_one(&mut *tx)
        .await
        .or_store()?
    };
    // What is not there need not be looked for a second time.
    let limit = if matching == 0 { 0 } else { query.limit };
    let rows: Vec<RawMap> = bound!(
        sqlx::query_as(concat!(
            "SELECT ",
            map_columns!(),
            " FROM warden_resource_map AS m JOIN warden_am AS a ON a.am_key = m.am_key WHERE ",
            fitting!(),
            " ORDER BY m.path_key, m.site LIMIT $5 OFFSET $6"
        )),
        owner,
        &pattern,
        &key,
        standing
    )
    .bind(i64::from(limit))
    .bind(i64::try_from(query.offset).unwrap_or(i64::MAX))
    .fetch_all(&mut *tx)
    .await
    .or_store()?;
    let issuers: Vec<String> = sqlx::query_scalar(
        "SELECT a.issuer FROM warden_am AS a WHERE EXISTS (SELECT 1 FROM warden_resource_map AS m \
         WHERE m.am_key = a.am_key AND m.owner = $1 AND m.state <> 'tombstone') ORDER BY a.issuer",
    )
    .bind(owner.as_str())
    .fetch_all(&mut *tx)
    .await
    .or_store()?;
    Ok(MapsPage {
        maps: rows.into_iter().filter_map(RawMap::record).collect(),
        matching: matching.unsigned_abs(),
        all: all.unsigned_abs(),
        issuers: issuers
            .iter()
            .filter_map(|issuer| Issuer::parse(issuer).ok())
            .collect(),
    })
}

/// A pattern for text that holds `search`; empty for any.
fn pattern(search: &str) -> String {
    if search.is_empty() {
        return String::new();
    }
    let mut pattern = String::with_capacity(search.len() + 2);
    pattern.push('%');
    for letter in search.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
