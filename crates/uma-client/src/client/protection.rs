//! The protection API: resources, permission requests, introspection (UMA Federated Authorization 1.0 sections 3 to 5).

use url::Url;

use crate::client::AmClient;
use crate::error::Error;
use crate::ids::{Pat, ResourceId, Ticket};
use crate::secret::Secret;
use crate::wire::{IntrospectionResponse, PermissionRequest, ResourceDescription};

/// What the AM says of a resource that was created or updated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredResource {
    /// The AM's id of the resource.
    pub id: ResourceId,
    /// Where the owner sets her policies; only on the origin of the issuer or of the registration endpoint.
    pub policy_uri: Option<Url>,
    /// The revision, in dialects that have one.
    pub revision: Option<String>,
}

/// A resource as the AM has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadResource {
    /// The AM's id of the resource.
    pub id: ResourceId,
    /// The description; what belongs to the AM (`_id`, the policy link) is taken out.
    pub description: ResourceDescription,
    /// Where the owner sets her policies; only on the origin of the issuer or of the registration endpoint.
    pub policy_uri: Option<Url>,
    /// The revision, in dialects that have one.
    pub revision: Option<String>,
}

/// The owner's resources at the AM.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceList {
    /// The ids, in the AM's order.
    pub ids: Vec<ResourceId>,
    /// Whether these are all. Where not, absence from the list means nothing: ask for the one resource.
    pub complete: bool,
}

/// How a permission request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PermissionOutcome {
    /// A ticket for the requester: for one challenge, never to be kept.
    Ticket(Ticket),
    /// The AM says that none is needed; only where the profile accepts that.
    NoneNeeded,
}

/// With what an introspection is made. The profile decides which of them is used.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum IntrospectionCredential<'a> {
    /// The PAT of the resource's owner.
    Pat(&'a Pat),
    /// The credentials of this client.
    Client,
}

impl<'a> From<&'a Pat> for IntrospectionCredential<'a> {
    fn from(pat: &'a Pat) -> Self {
        Self::Pat(pat)
    }
}

impl<'a> From<Option<&'a Pat>> for IntrospectionCredential<'a> {
    fn from(pat: Option<&'a Pat>) -> Self {
        pat.map_or(Self::Client, Self::Pat)
    }
}

/// What the AM says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "the large variant is the usual one, and is moved once"
)]
pub enum Introspection {
    /// It does not count (any more).
    Inactive,
    /// It counts. `permissions` may be missing: then it is no RPT for this host, whatever its `scope` says.
    Active(IntrospectionResponse),
}

/// Registering resources. `pat` is the owner's.
///
/// Errors, besides what any call may end with: [`PatDead`](crate::ErrorKind::PatDead),
/// [`InsufficientScope`](crate::ErrorKind::InsufficientScope), [`NotFound`](crate::ErrorKind::NotFound) (which need not
/// prove that the resource is gone: [`AmProfile::not_found_proves_absence`](crate::AmProfile)),
/// [`Conflict`](crate::ErrorKind::Conflict). Creating is not idempotent: after an error with
/// [`outcome_unknown`](Error::outcome_unknown) look before you repeat it.
impl AmClient {
    /// Creates a resource (section 3.2.1). The AM chooses the id.
    ///
    /// # Errors
    /// See above; [`Malformed`](crate::ErrorKind::Malformed) when the answer has no usable `_id`.
    pub async fn create_resource(
        &self,
        pat: &Pat,
        description: &ResourceDescription,
    ) -> Result<RegisteredResource, Error> {
        self.create_resource_as(pat, None, description).await
    }

    /// Creates a resource, and proposes an id for dialects in which the host chooses: derive it from something that stays, so
    /// that a repeated call names the same resource. Without a proposal such a dialect makes up a random one. What counts is
    /// the id that comes back.
    ///
    /// # Errors
    /// As [`create_resource`](Self::create_resource).
    pub async fn create_resource_as(
        &self,
        pat: &Pat,
        proposed: Option<&ResourceId>,
        description: &ResourceDescription,
    ) -> Result<RegisteredResource, Error> {
        const OPERATION: &str = "create resource";
        let dialect = self.dialect();
        let proposed = dialect
            .propose(proposed)
            .map_err(|error| self.at(OPERATION, error))?;
        let proposed = proposed.as_ref();
        self.run(
            OPERATION,
            self.limits(),
            |context| dialect.create(context, pat, proposed, description),
            |context, response| dialect.created(context, proposed, response),
        )
        .await
    }

    /// The id that [`create_resource_as`](Self::create_resource_as) registers a resource under when it is proposed this text:
    /// in dialects in which the host chooses ids, so that a resource can be looked for by it after a call whose outcome is
    /// unknown. Elsewhere, and for a text that can't be an id, none.
    pub fn chosen_id(&self, proposed: &str) -> Option<ResourceId> {
        let id = ResourceId::parse(proposed).ok()?;
        self.dialect().host_chooses_ids().then_some(id)
    }

    /// Reads a resource (section 3.2.2).
    ///
    /// # Errors
    /// See above.
    pub async fn read_resource(&self, pat: &Pat, id: &ResourceId) -> Result<ReadResource, Error> {
        let dialect = self.dialect();
        self.run(
            "GET resource",
            self.limits(),
            |context| dialect.read(context, pat, id),
            |context, response| dialect.read_back(context, id, response),
        )
        .await
    }

    /// Replaces the description of a resource (section 3.2.3). Send the whole description: what is left out is lost.
    ///
    /// # Errors
    /// See above.
    pub async fn update_resource(
        &self,
        pat: &Pat,
        id: &ResourceId,
        description: &ResourceDescription,
    ) -> Result<RegisteredResource, Error> {
        self.update_resource_at(pat, id, None, description).await
    }

    /// Replaces the description of a resource if it still has this revision. A dialect without revisions looks at none.
    ///
    /// # Errors
    /// See above; [`PreconditionFailed`](crate::ErrorKind::PreconditionFailed) when it has another revision, or when the
    /// dialect needs one and none is given: read the resource first.
    pub async fn update_resource_at(
        &self,
        pat: &Pat,
        id: &ResourceId,
        revision: Option<&str>,
        description: &ResourceDescription,
    ) -> Result<RegisteredResource, Error> {
        let dialect = self.dialect();
        self.run(
            "PUT resource",
            self.limits(),
            |context| dialect.update(context, pat, id, revision, description),
            |context, response| dialect.updated(context, id, response),
        )
        .await
    }

    /// Deletes a resource (section 3.2.4). Unknown is an error too: whether that is success is the caller's to say.
    ///
    /// # Errors
    /// See above.
    pub async fn delete_resource(&self, pat: &Pat, id: &ResourceId) -> Result<(), Error> {
        self.delete_resource_at(pat, id, None).await
    }

    /// Deletes a resource if it still has this revision. A dialect without revisions looks at none.
    ///
    /// # Errors
    /// As [`update_resource_at`](Self::update_resource_at).
    pub async fn delete_resource_at(
        &self,
        pat: &Pat,
        id: &ResourceId,
        revision: Option<&str>,
    ) -> Result<(), Error> {
        let dialect = self.dialect();
        self.run(
            "DELETE resource",
            self.limits(),
            |context| dialect.delete(context, pat, id, revision),
            |context, response| dialect.deleted(context, response),
        )
        .await
    }

    /// Lists the owner's resources of this host (section 3.2.5). The answer may be as long as metadata may be.
    ///
    /// # Errors
    /// See above.
    pub async fn list_resources(&self, pat: &Pat) -> Result<ResourceList, Error> {
        let dialect = self.dialect();
        self.run(
            "GET resource list",
            self.shared.settings.long,
            |context| dialect.list(context, pat),
            |context, response| dialect.listed(context, response),
        )
        .await
    }

    /// Asks for a ticket for these permissions (section 4): at least one, all of one owner.
    ///
    /// # Errors
    /// [`InvalidResourceId`](crate::ErrorKind::InvalidResourceId), [`InvalidScope`](crate::ErrorKind::InvalidScope),
    /// [`PatDead`](crate::ErrorKind::PatDead); [`Config`](crate::ErrorKind::Config) for none,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for several where the profile says one;
    /// [`Malformed`](crate::ErrorKind::Malformed) for a ticket that could not stand in a challenge.
    pub async fn request_permission(
        &self,
        pat: &Pat,
        permissions: &[PermissionRequest],
    ) -> Result<PermissionOutcome, Error> {
        let dialect = self.dialect();
        let result = self
            .run(
                "POST permission request",
                self.limits(),
                |context| dialect.ask(context, pat, permissions),
                |context, response| dialect.asked(context, response),
            )
            .await;
        self.doubting(result)
    }

    /// Asks what a token permits (section 5, RFC 7662), with the credential that the profile names, within the deadline of
    /// introspection (2 s).
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) when the profile's credential is missing; [`PatDead`](crate::ErrorKind::PatDead);
    /// [`Malformed`](crate::ErrorKind::Malformed) when the answer cannot be relied on.
    pub async fn introspect<'a>(
        &self,
        credential: impl Into<IntrospectionCredential<'a>>,
        token: &Secret,
    ) -> Result<Introspection, Error> {
        let dialect = self.dialect();
        let credential = credential.into();
        let result = self
            .run(
                "POST introspection",
                self.shared.settings.introspection,
                |context| dialect.introspect(context, credential, token),
                |context, response| dialect.introspected(context, response),
            )
            .await;
        if matches!(result, Ok(Introspection::Inactive)) {
            self.explain_inactive(token);
        }
        self.doubting(result)
    }
}

#[cfg(test)]
mod tests;
