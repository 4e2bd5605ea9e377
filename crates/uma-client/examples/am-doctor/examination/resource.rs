//! One resource, from its registration to its end.

use std::time::{SystemTime, UNIX_EPOCH};

use uma_client::wire::{PermissionRequest, ResourceDescription};
use uma_client::{ErrorKind, Pat, PermissionOutcome, ResourceId, TicketBody};

use super::{Examination, SCOPES};
use crate::report::{Finding, Mark};

impl Examination {
    pub(super) async fn register(&mut self, pat: &Pat) -> Option<ResourceId> {
        const STEP: &str = "register";
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut description =
            ResourceDescription::new(SCOPES).with_name(format!("am-doctor {}", now.as_nanos()));
        description.description = Some("made by am-doctor, to be deleted".to_owned());
        let am = self.client(STEP)?;
        let mut created = am.create_resource(pat, &description).await;
        if let Err(error) = &created
            && error.kind() == ErrorKind::Refused
            && self.profile.sends_description
        {
            self.profile.sends_description = false;
            let am = self.client(STEP)?;
            created = am.create_resource(pat, &description).await;
            if created.is_ok() {
                self.different(STEP, "`description` is refused: it is left out");
            }
        }
        let created = self.found(STEP, created)?;
        match &created.policy_uri {
            Some(uri) => self.good(STEP, format!("201, owners set their rules at {uri}")),
            None => self.good(STEP, "201, without a policy link"),
        }
        Some(created.id)
    }

    pub(super) async fn read(&mut self, pat: &Pat, id: &ResourceId) {
        const STEP: &str = "read back";
        let Some(am) = self.client(STEP) else { return };
        let Some(read) = self.found(STEP, am.read_resource(pat, id).await) else {
            return;
        };
        let has = &read.description.resource_scopes;
        if SCOPES
            .iter()
            .all(|scope| has.iter().any(|one| one == scope))
        {
            self.good(STEP, "with all scopes");
        } else {
            let said = format!("the AM kept other scopes than it was given: {has:?}");
            self.findings.push(Finding::new(STEP, Mark::Bad, said));
        }
    }

    pub(super) async fn list(&mut self, pat: &Pat, id: &ResourceId) {
        const STEP: &str = "list";
        let Some(am) = self.client(STEP) else { return };
        let Some(list) = self.found(STEP, am.list_resources(pat).await) else {
            return;
        };
        if list.ids.contains(id) {
            self.good(
                STEP,
                format!("{} resources, the new one among them", list.ids.len()),
            );
        } else {
            self.different(
                STEP,
                "the new resource is not in it: set list_is_complete to false",
            );
        }
    }

    pub(super) async fn ticket(&mut self, pat: &Pat, id: &ResourceId) {
        const STEP: &str = "ticket";
        let mut wanted = PermissionRequest::default();
        id.as_str().clone_into(&mut wanted.resource_id);
        wanted.resource_scopes = vec![SCOPES[0].to_owned()];
        let wanted = std::slice::from_ref(&wanted);
        let Some(am) = self.client(STEP) else { return };
        let mut asked = am.request_permission(pat, wanted).await;
        if let Err(error) = &asked
            && error.kind() == ErrorKind::Refused
            && self.profile.ticket_body == TicketBody::Object
        {
            self.profile.ticket_body = TicketBody::Array;
            let Some(am) = self.client(STEP) else { return };
            asked = am.request_permission(pat, wanted).await;
            if asked.is_ok() {
                self.different(
                    STEP,
                    "an object is refused: a single permission goes as an array",
                );
            }
        }
        match self.found(STEP, asked) {
            Some(PermissionOutcome::Ticket(ticket)) => {
                let said = format!("201, of {} characters", ticket.expose().len());
                self.good(STEP, said);
            }
            Some(_) => self.different(STEP, "none needed, says the AM"),
            None => {}
        }
    }

    pub(super) async fn delete(&mut self, pat: &Pat, id: &ResourceId) {
        const STEP: &str = "delete";
        let Some(am) = self.client(STEP) else { return };
        if self
            .found(STEP, am.delete_resource(pat, id).await)
            .is_none()
        {
            return;
        }
        match am.read_resource(pat, id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.good(STEP, "and then it is not found");
            }
            Err(error) => self.bad(STEP, &error),
            Ok(_) => {
                let said = "the AM still has what was deleted";
                self.findings.push(Finding::new(STEP, Mark::Bad, said));
            }
        }
    }
}
