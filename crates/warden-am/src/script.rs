//! The handle by which tests and demos steer an AM from outside of its protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

mod views;

pub use views::{PendingRequest, PolicySpec, ResourceView};

use crate::builder::{ClientSpec, check_name};
use crate::endpoints::{claim_token, token};
use crate::error::{Error, ErrorKind};
use crate::faults::{Endpoint, Fault};
use crate::secrets;
use crate::shared::{Shared, millis, unix_ms};
use crate::state::clients::PROTECTION_SCOPE;
use crate::state::policies::Policy;
use crate::state::tickets::Ticket;
use crate::state::tokens::{AccessToken, Granted, Rpt};
use crate::state::{State, User};

/// Steers an AM: people, clients, policies, tokens, its clock and its faults. Clones steer the same AM.
///
/// What a script changes goes into the state file as everything else does; [`ErrorKind::StateFile`] says that it could not.
#[derive(Clone)]
pub struct Script(pub(crate) Arc<Shared>);

impl Script {
    /// Adds a person, or gives her another password.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name that is empty, too long, or has control characters.
    pub fn register_user(&self, name: &str, password: &str) -> Result<(), Error> {
        check_name("user", name)?;
        self.0.change(|state, _| {
            state.users.insert(name.to_owned(), User::new(password));
        })
    }

    /// Adds or replaces a client.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for metadata that could not be registered either.
    pub fn register_client(&self, client: ClientSpec) -> Result<(), Error> {
        let client = client.into_client()?;
        self.0.change(|state, _| {
            state.clients.insert(client.id.clone(), client);
        })
    }

    /// The ids of all clients, also those that registered themselves, with the names they gave.
    pub fn list_clients(&self) -> Vec<(String, Option<String>)> {
        self.0.read(|state, _| {
            let entry =
                |c: &crate::state::clients::Client| (c.id.clone(), c.metadata.client_name.clone());
            state.clients.values().map(entry).collect()
        })
    }

    /// The resources of an owner (a person's name, or the id of a client that owns things itself), at all hosts.
    pub fn list_resources(&self, owner: &str) -> Vec<ResourceView> {
        self.0.read(|state, _| {
            let of_owner = state
                .resources
                .values()
                .filter(|resource| resource.owner.name() == owner);
            let view = |resource: &crate::state::resources::Resource| ResourceView {
                id: resource.id.clone(),
                host: resource.host.clone(),
                name: resource.description.name.clone(),
                scopes: resource.description.resource_scopes.clone(),
            };
            of_owner.map(view).collect()
        })
    }

    /// Forgets a resource with its policies, as if the AM had lost it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such resource.
    pub fn forget_resource(&self, resource_id: &str) -> Result<(), Error> {
        self.0.change(|state, _| {
            if state.remove_resource(resource_id) {
                Ok(())
            } else {
                Err(not_found("resource"))
            }
        })?
    }

    /// Adds a rule to a resource of this owner, and returns the rule's id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when the owner has no such resource.
    pub fn add_policy(
        &self,
        owner: &str,
        resource_id: &str,
        policy: PolicySpec,
    ) -> Result<String, Error> {
        self.0.change(|state, _| {
            let known = state.resources.get(resource_id);
            if known.is_none_or(|resource| resource.owner.name() != owner) {
                return Err(not_found("resource of this owner"));
            }
            state.add_policy(Policy {
                id: String::new(),
                resource_id: resource_id.to_owned(),
                subject: policy.subject,
                client: policy.client,
                scopes: policy.scopes,
                until_ms: policy.until.map(unix_ms),
            })
        })?
    }

    /// Removes a rule: what it allowed is gone from introspection at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such rule.
    pub fn remove_policy(&self, policy_id: &str) -> Result<(), Error> {
        self.0.change(|state, _| {
            state
                .policies
                .remove(policy_id)
                .map(|_| ())
                .ok_or_else(|| not_found("policy"))
        })?
    }

    /// The requests that wait for this owner, oldest first.
    pub fn pending(&self, owner: &str) -> Vec<PendingRequest> {
        self.0.read(|state, _| {
            let waits = |id: &str| {
                state
                    .resources
                    .get(id)
                    .is_some_and(|r| r.owner.name() == owner)
            };
            let mut found: Vec<_> = state
                .requests
                .values()
                .filter(|request| !request.refused && waits(&request.resource_id))
                .collect();
            found.sort_by_key(|request| (request.asked_ms, &request.id));
            let view = |request: &crate::state::policies::AccessRequest| PendingRequest {
                id: request.id.clone(),
                resource_id: request.resource_id.clone(),
                subject: request.subject.clone(),
                client: request.client.clone(),
                scopes: request.scopes.clone(),
            };
            found.into_iter().map(view).collect()
        })
    }

    /// Approves a pending request as its owner would, whole (`None`) or in part (the rest counts as refused); returns the new rule's id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such request, [`ErrorKind::Config`] when none of the scopes was asked for.
    pub fn approve(&self, request_id: &str, scopes: Option<&[&str]>) -> Result<String, Error> {
        let chosen = scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self.0
            .change(|state, _| state.approve(request_id, chosen.as_ref(), None))?
    }

    /// Refuses a pending request as its owner would.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such request.
    pub fn refuse(&self, request_id: &str) -> Result<(), Error> {
        self.0.change(|state, _| state.refuse(request_id))?
    }

    /// Issues a PAT for an owner (a person, or the client itself by its id) to a client, without consent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when the owner or the client does not exist.
    pub fn issue_pat(&self, owner: &str, client_id: &str) -> Result<String, Error> {
        self.0.change(|state, now_ms| {
            let party = state.party(owner).ok_or_else(|| not_found("owner"))?;
            known_client(state, client_id)?;
            let token = AccessToken {
                client_id: client_id.to_owned(),
                party,
                scopes: vec![PROTECTION_SCOPE.to_owned()],
                family: secrets::random_id()?,
            };
            state.issue_access_token(token, token::expiry(&self.0, now_ms))
        })?
    }

    /// Issues a ticket for resources of one owner at one host, as the permission endpoint would.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for an unknown resource or one without these scopes, [`ErrorKind::Config`] for resources of several owners or hosts, or none.
    pub fn issue_ticket(&self, permissions: &[(&str, &[&str])]) -> Result<String, Error> {
        self.0.change(|state, now_ms| {
            let (owner, host, permissions) = permissions_of(state, permissions)?;
            let ticket = Ticket {
                owner,
                host,
                permissions,
                client: None,
                subject: None,
            };
            state.issue_ticket(ticket, now_ms.saturating_add(millis(self.0.ticket_ttl)))
        })?
    }

    /// Issues an RPT that allows this whatever the policies say: for a requesting party and a client, on resources of one owner at one host.
    ///
    /// # Errors
    ///
    /// As [`issue_ticket`](Self::issue_ticket), and [`ErrorKind::NotFound`] for an unknown client.
    pub fn issue_rpt(
        &self,
        subject: &str,
        client_id: &str,
        permissions: &[(&str, &[&str])],
    ) -> Result<String, Error> {
        self.0.change(|state, now_ms| {
            known_client(state, client_id)?;
            let (owner, host, permissions) = permissions_of(state, permissions)?;
            let scripted = |by_script| Granted {
                by_script,
                ..Granted::default()
            };
            state.issue_rpt(Rpt {
                client_id: client_id.to_owned(),
                subject: subject.to_owned(),
                owner,
                host,
                permissions: permissions
                    .into_iter()
                    .map(|(id, scopes)| (id, scripted(scopes)))
                    .collect(),
                issued_ms: now_ms,
                expires_ms: token::expiry(&self.0, now_ms),
            })
        })?
    }

    /// Lets an RPT allow more, whatever the policies say: the token string stays the same.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for an RPT that is not live, an unknown resource or scope; [`ErrorKind::Config`] for a resource of another owner or host.
    pub fn upgrade_rpt_in_place(
        &self,
        rpt: &str,
        resource_id: &str,
        scopes: &[&str],
    ) -> Result<(), Error> {
        self.0.change(|state, now_ms| {
            let (owner, host, permissions) = permissions_of(state, &[(resource_id, scopes)])?;
            let live = state
                .rpts
                .get_mut(rpt, now_ms)
                .filter(|rpt| rpt.expires_ms > now_ms);
            let rpt = live.ok_or_else(|| not_found("live RPT"))?;
            if rpt.owner != owner || rpt.host != host {
                return Err(Error::new(
                    ErrorKind::Config,
                    "the RPT is for another owner or host",
                ));
            }
            for (id, scopes) in permissions {
                rpt.permissions
                    .entry(id)
                    .or_default()
                    .by_script
                    .extend(scopes);
            }
            Ok(())
        })?
    }

    /// Makes a sign-in token by which a client can say who its requesting party is: the `claim_token`, in the format
    /// [`CLAIM_TOKEN_FORMAT`](crate::CLAIM_TOKEN_FORMAT).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for an unknown person or client.
    pub fn claim_token(&self, user: &str, client_id: &str) -> Result<String, Error> {
        self.0.change(|state, now_ms| {
            if !state.users.contains_key(user) {
                return Err(not_found("user"));
            }
            known_client(state, client_id)?;
            claim_token::mint(&self.0, state, now_ms, user, client_id)
        })?
    }

    /// Revokes a token of any kind (a refresh token with all that came of the same consent).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such token.
    pub fn revoke(&self, token: &str) -> Result<(), Error> {
        self.0.change(|state, now_ms| {
            if state.revoke(token, None, now_ms) {
                Ok(())
            } else {
                Err(not_found("token"))
            }
        })?
    }

    /// Forgets all but the people and the pre-registered clients, as if the AM had lost its database.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StateFile`] alone.
    pub fn forget_everything(&self) -> Result<(), Error> {
        self.0.change(|state, _| state.forget_everything())
    }

    /// Moves the AM's clock forward: tokens, tickets, codes and rules end accordingly.
    pub fn advance_clock(&self, by: Duration) {
        self.0
            .clock_offset_ms
            .fetch_add(millis(by), Ordering::Relaxed);
    }

    /// How many calls an endpoint has had, those with faults included.
    pub fn calls(&self, endpoint: Endpoint) -> usize {
        self.0.faults.calls(endpoint)
    }

    /// Sets all call counters back to 0.
    pub fn reset_calls(&self) {
        self.0.faults.reset_calls();
    }

    /// Lets an endpoint fail until [`clear_faults`](Self::clear_faults). Of several faults the oldest acts, and delays add up.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.0.faults.add(endpoint, fault, None);
    }

    /// Lets the next call to an endpoint fail.
    pub fn fault_once(&self, endpoint: Endpoint, fault: Fault) {
        self.fault_times(endpoint, fault, 1);
    }

    /// Lets the next `times` calls to an endpoint fail.
    pub fn fault_times(&self, endpoint: Endpoint, fault: Fault, times: u32) {
        self.0.faults.add(endpoint, fault, Some(times));
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.0.faults.clear();
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("issuer", &self.0.issuer)
            .finish_non_exhaustive()
    }
}

fn not_found(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no such {what}"))
}

fn known_client(state: &State, id: &str) -> Result<(), Error> {
    if state.clients.contains_key(id) {
        Ok(())
    } else {
        Err(not_found("client"))
    }
}

type Permissions = (
    crate::state::Party,
    String,
    BTreeMap<String, BTreeSet<String>>,
);

fn permissions_of(state: &State, asked: &[(&str, &[&str])]) -> Result<Permissions, Error> {
    let first = asked.first().and_then(|(id, _)| state.resources.get(*id));
    let first = first.ok_or_else(|| not_found("resource"))?;
    let mut permissions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, scopes) in asked {
        let resource = state
            .resources
            .get(*id)
            .ok_or_else(|| not_found("resource"))?;
        if !resource.belongs_to(&first.owner, &first.host) {
            return Err(Error::new(
                ErrorKind::Config,
                "the resources are of several owners or hosts",
            ));
        }
        if !scopes.iter().all(|scope| resource.has_scope(scope)) {
            return Err(not_found("scope of this resource"));
        }
        let scopes = scopes.iter().map(|scope| (*scope).to_owned());
        permissions
            .entry((*id).to_owned())
            .or_default()
            .extend(scopes);
    }
    Ok((first.owner.clone(), first.host.clone(), permissions))
}
