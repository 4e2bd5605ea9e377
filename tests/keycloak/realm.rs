//! A realm of a test's own: that of `scripts/keycloak-realm.json` under another name, and its administrator.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::server::{Server, project};
use crate::shared::text;

pub(crate) struct Realm {
    pub(crate) issuer: String,
    name: String,
    server: Server,
    http: Client,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

pub(crate) fn realm_file() -> Value {
    let file = project().join("scripts/keycloak-realm.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// A client without cookies that goes nowhere but where it is sent.
pub(crate) fn plain() -> Client {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

impl Realm {
    /// A fresh realm on the shared server; none where there is no Keycloak.
    pub(crate) async fn fresh() -> Option<Self> {
        let server = Server::shared().await?;
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("t{}-{number}", std::process::id());
        let this = Self::named(&server, &name);
        let text = realm_file().to_string();
        let text = text.replace("\"realm\":\"warden\"", &format!("\"realm\":\"{name}\""));
        let text = text.replace("default-roles-warden", &format!("default-roles-{name}"));
        let realm: Value = serde_json::from_str(&text).unwrap();
        let token = this.admin_token().await;
        let made = this
            .http
            .post(format!("{}/admin/realms", server.url))
            .bearer_auth(token)
            .json(&realm)
            .send()
            .await
            .unwrap();
        assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
        Some(this)
    }

    /// A realm that is there.
    pub(crate) fn named(server: &Server, name: &str) -> Self {
        Self {
            issuer: format!("{}/realms/{name}", server.url),
            name: name.to_owned(),
            server: server.clone(),
            http: plain(),
        }
    }

    async fn admin_token(&self) -> String {
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", "admin"),
            ("password", "admin"),
        ];
        let url = format!(
            "{}/realms/master/protocol/openid-connect/token",
            self.server.url
        );
        let answer = self.http.post(url).form(&form).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Deletes the realm, if it is there.
    pub(crate) async fn delete(&self) {
        let url = format!("{}/admin/realms/{}", self.server.url, self.name);
        let token = self.admin_token().await;
        self.http
            .delete(url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
    }

    /// A call of the administrator, below the realm.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/admin/realms/{}{path}", self.server.url, self.name);
        let mut request = self
            .http
            .request(method.clone(), url)
            .bearer_auth(self.admin_token().await);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The administrator's id of a user.
    pub(crate) async fn user(&self, name: &str) -> String {
        let path = format!("/users?exact=true&username={name}");
        let found = self.admin(Method::GET, &path, None).await;
        found[0]["id"].as_str().unwrap().to_owned()
    }

    /// The administrator's id of a client.
    pub(crate) async fn client(&self, id: &str) -> String {
        let path = format!("/clients?clientId={id}");
        let found = self.admin(Method::GET, &path, None).await;
        found[0]["id"].as_str().unwrap().to_owned()
    }

    /// The initial access token that an administrator gives to those who may register.
    pub(crate) async fn initial_access_token(&self) -> String {
        let body = json!({ "expiration": 600, "count": 5 });
        let given = self
            .admin(Method::POST, "/clients-initial-access", Some(body))
            .await;
        given["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn endpoint(&self, name: &str) -> String {
        format!("{}/protocol/openid-connect/{name}", self.issuer)
    }

    /// The token endpoint; its status and body.
    pub(crate) async fn token(&self, form: &[(&str, &str)], bearer: Option<&str>) -> (u16, Value) {
        let mut request = self.http.post(self.endpoint("token")).form(form);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    /// All that the password grant gives to a user of a public client.
    pub(crate) async fn sign_in(&self, client: &str, user: &str) -> Value {
        let form = [
            ("grant_type", "password"),
            ("client_id", client),
            ("username", user),
            ("password", user),
        ];
        let (status, answer) = self.token(&form, None).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// An access token of the user at the host: what its protection API takes for an owner.
    pub(crate) async fn owner_token(&self, user: &str) -> String {
        let form = [
            ("grant_type", "password"),
            ("client_id", "host-one"),
            ("client_secret", "host-one-secret"),
            ("username", user),
            ("password", user),
        ];
        let (status, answer) = self.token(&form, None).await;
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Exchanges a ticket for a user of a client without a secret.
    pub(crate) async fn exchange(&self, client: &str, user: &str, ticket: &str) -> (u16, Value) {
        let signed_in = self.sign_in(client, user).await;
        let bearer = signed_in["access_token"].as_str().unwrap();
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:uma-ticket"),
            ("ticket", ticket),
        ];
        self.token(&form, Some(bearer)).await
    }

    /// A call of an owner to the protection API.
    pub(crate) async fn protection(
        &self,
        owner: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = self
            .http
            .request(method, format!("{}/authz/protection{path}", self.issuer))
            .bearer_auth(self.owner_token(owner).await);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Requests that wait for an owner's word on a resource.
    pub(crate) async fn waiting(&self, owner: &str, resource: &str) -> Vec<Value> {
        let path =
            format!("/permission/ticket?resourceId={resource}&granted=false&returnNames=true");
        let (status, rows) = self.protection(owner, Method::GET, &path, None).await;
        assert_eq!(status, 200, "{rows}");
        rows.as_array().unwrap().clone()
    }

    /// The owner's yes to everything that waits for it, as her account console says it. How many were waiting.
    pub(crate) async fn approve(&self, owner: &str, resource: &str) -> usize {
        let permissions = format!("{}/account/resources/{resource}/permissions", self.issuer);
        let token = text(&self.sign_in("requester", owner).await, "access_token");
        let waiting = self
            .http
            .get(format!("{permissions}/requests"))
            .bearer_auth(&token)
            .header("accept", "application/json")
            .send()
            .await
            .unwrap();
        assert_eq!(waiting.status(), 200);
        let waiting: Vec<Value> = waiting.json().await.unwrap();
        let said = self
            .http
            .put(&permissions)
            .bearer_auth(&token)
            .json(&waiting)
            .send()
            .await
            .unwrap();
        assert_eq!(said.status(), 204, "{}", said.text().await.unwrap());
        waiting.len()
    }

    /// A policy of an owner for one user; its id.
    pub(crate) async fn permit(
        &self,
        owner: &str,
        resource: &str,
        user: &str,
        scopes: &[&str],
    ) -> String {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let policy = json!({
            "name": format!("{user} on {resource}, {number}"),
            "scopes": scopes,
            "users": [user],
        });
        let path = format!("/uma-policy/{resource}");
        let (status, made) = self
            .protection(owner, Method::POST, &path, Some(policy))
            .await;
        assert_eq!(status, 200, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }
}
