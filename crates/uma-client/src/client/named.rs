//! Finding a resource by its name.

use http::Method;
use http::header::AUTHORIZATION;

use crate::client::{AmClient, request, with_body};
use crate::error::{Error, ErrorKind};
use crate::ids::{self, Pat, ResourceId};

/// Most resources that are read one by one in search of a name.
const MOST_READS: usize = 200;

impl AmClient {
    /// The owner's resource of this host with exactly this name, if there is one: what to look for after a
    /// [`Conflict`](ErrorKind::Conflict), or after a creation whose outcome is unknown. Where the AM can't be asked for a
    /// name, at most 200 resources are read one by one.
    ///
    /// # Errors
    /// As [`list_resources`](Self::list_resources); [`ErrorKind::Unsupported`] when there are too many to read.
    pub async fn find_resource(&self, pat: &Pat, name: &str) -> Result<Option<ResourceId>, Error> {
        const OPERATION: &str = "GET resource list (by name)";
        let by_name = self.profile().finds_by_name;
        let listed = if by_name {
            let dialect = self.dialect();
            self.run(
                OPERATION,
                self.shared.settings.long,
                |context| {
                    let mut url = context.endpoints.resources()?.clone();
                    url.query_pairs_mut()
                        .append_pair("name", name)
                        .append_pair("exactName", "true");
                    if let Some(max) = context.profile.list_max {
                        url.query_pairs_mut().append_pair("max", &max.to_string());
                    }
                    let bearer = ids::bearer(pat.secret())?;
                    with_body(
                        request(Method::GET, &url).header(AUTHORIZATION, bearer),
                        bytes::Bytes::new(),
                    )
                },
                |context, response| dialect.listed(context, response),
            )
            .await?
        } else {
            self.list_resources(pat).await?
        };
        if listed.ids.len() > MOST_READS {
            let error = Error::new(ErrorKind::Unsupported, "there are too many to look through");
            return Err(self.at(OPERATION, error));
        }
        for id in listed.ids {
            // What an AM's search calls exact may still differ in case.
            match self.read_resource(pat, &id).await {
                Ok(read) if read.description.name.as_deref() == Some(name) => return Ok(Some(id)),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::profile::AmProfile;
    use crate::testing::{answer, builder, script};

    #[tokio::test]
    async fn by_name_where_the_am_can_else_one_by_one() {
        for (profile, list) in [
            (
                AmProfile::keycloak(),
                "https://am.example/rreg?name=Two+words&exactName=true&max=-1",
            ),
            (AmProfile::uma2(), "https://am.example/rreg"),
        ] {
            let (script, http) = script(|seen| {
                let of = |name| json!({"_id": "x", "name": name, "resource_scopes": []});
                match seen.uri.rsplit_once("/rreg").unwrap().1 {
                    "/a" => answer(
                        200,
                        json!({"_id": "a", "name": "two words", "resource_scopes": []}),
                    ),
                    "/b" => answer(404, json!({})),
                    "/c" => answer(
                        200,
                        json!({"_id": "c", "name": "Two words", "resource_scopes": []}),
                    ),
                    "/d" => answer(200, of("other")),
                    _ => answer(200, json!(["a", "b", "c", "d"])),
                }
            });
            let am = builder(&http).profile(profile).build().unwrap();
            let found = am.find_resource(&Pat::new("p"), "Two words").await.unwrap();
            assert_eq!(found.unwrap().as_str(), "c");
            let calls = script.calls();
            assert_eq!(calls[0].uri, list);
            assert_eq!(calls.len(), 4, "not read beyond it");
        }
    }
}
