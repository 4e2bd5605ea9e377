//! The calls of a dialect: each is a request to build and an answer to read.

use bytes::Bytes;
use http::{Request, Response};
use url::Url;

use crate::client::{
    ClientCredentials, Endpoints, Introspection, IntrospectionCredential, PermissionOutcome,
    ReadResource, RegisteredResource, ResourceList,
};
use crate::dialect::{Dialect, draft03, uma2};
use crate::error::Error;
use crate::ids::{Pat, ResourceId, Ticket};
use crate::issuer::Issuer;
use crate::profile::AmProfile;
use crate::requester::{Exchange, Grant, TicketExchange};
use crate::secret::Secret;
use crate::wire::{Metadata, PermissionRequest, ResourceDescription};

/// What a dialect knows of the AM and of the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) profile: &'a AmProfile,
    pub(crate) endpoints: &'a Endpoints,
    pub(crate) credentials: Option<&'a ClientCredentials>,
    pub(crate) allow_http: bool,
}

type Build = Result<Request<Bytes>, Error>;
type Answer = Response<Bytes>;

impl Dialect {
    /// Where the metadata are: the first document counts most.
    pub(crate) fn metadata_urls(
        &self,
        issuer: &Issuer,
        explicit: Option<&Url>,
        profile: &AmProfile,
    ) -> Result<Vec<Url>, Error> {
        match self {
            Self::Uma2 => uma2::metadata_urls(issuer, explicit, profile),
            Self::Draft03 => draft03::metadata_urls(issuer, explicit),
        }
    }

    pub(crate) fn read_metadata(&self, answer: &Answer) -> Result<Metadata, Error> {
        match self {
            Self::Uma2 => crate::answer::json(answer),
            Self::Draft03 => draft03::read_metadata(answer),
        }
    }

    /// The id that a new resource is proposed with: the host's, or one that is made up where the host has to choose.
    pub(crate) fn propose(
        &self,
        proposed: Option<&ResourceId>,
    ) -> Result<Option<ResourceId>, Error> {
        match self {
            Self::Uma2 => Ok(proposed.cloned()),
            Self::Draft03 => draft03::propose(proposed).map(Some),
        }
    }

    pub(crate) fn create(
        &self,
        context: &Context<'_>,
        pat: &Pat,
        proposed: Option<&ResourceId>,
        description: &ResourceDescription,
    ) -> Build {
        match self {
            Self::Uma2 => uma2::create(context, pat, description),
            Self::Draft03 => draft03::create(context, pat, proposed, description),
        }
    }

    pub(crate) fn created(
        &self,
        context: &Context<'_>,
        proposed: Option<&ResourceId>,
        answer: &Answer,
    ) -> Result<RegisteredResource, Error> {
        match self {
            Self::Uma2 => uma2::created(context, answer),
            Self::Draft03 => draft03::created(context, proposed, answer),
        }
    }

    pub(crate) fn read(&self, context: &Context<'_>, pat: &Pat, id: &ResourceId) -> Build {
        match self {
            Self::Uma2 => uma2::read(context, pat, id),
            Self::Draft03 => draft03::read(context, pat, id),
        }
    }

    pub(crate) fn read_back(
        &self,
        context: &Context<'_>,
        id: &ResourceId,
        answer: &Answer,
    ) -> Result<ReadResource, Error> {
        match self {
            Self::Uma2 => uma2::read_back(context, id, answer),
            Self::Draft03 => draft03::read_back(context, id, answer),
        }
    }

    pub(crate) fn update(
        &self,
        context: &Context<'_>,
        pat: &Pat,
        id: &ResourceId,
        revision: Option<&str>,
        description: &ResourceDescription,
    ) -> Build {
        match self {
            Self::Uma2 => uma2::update(context, pat, id, description),
            Self::Draft03 => draft03::update(context, pat, id, revision, description),
        }
    }

    pub(crate) fn updated(
        &self,
        context: &Context<'_>,
        id: &ResourceId,
        answer: &Answer,
    ) -> Result<RegisteredResource, Error> {
        match self {
            Self::Uma2 => uma2::updated(context, id, answer),
            Self::Draft03 => draft03::updated(context, id, answer),
        }
    }

    pub(crate) fn delete(
        &self,
        context: &Context<'_>,
        pat: &Pat,
        id: &ResourceId,
        revision: Option<&str>,
    ) -> Build {
        match self {
            Self::Uma2 => uma2::delete(context, pat, id),
            Self::Draft03 => draft03::delete(context, pat, id, revision),
        }
    }

    pub(crate) fn deleted(&self, context: &Context<'_>, answer: &Answer) -> Result<(), Error> {
        match self {
            Self::Uma2 => uma2::deleted(context, answer),
            Self::Draft03 => draft03::deleted(context, answer),
        }
    }

    pub(crate) fn list(&self, context: &Context<'_>, pat: &Pat) -> Build {
        match self {
            Self::Uma2 => uma2::list(context, pat),
            Self::Draft03 => draft03::list(context, pat),
        }
    }

    pub(crate) fn listed(
        &self,
        context: &Context<'_>,
        answer: &Answer,
    ) -> Result<ResourceList, Error> {
        match self {
            Self::Uma2 => uma2::listed(context, answer),
            Self::Draft03 => draft03::listed(context, answer),
        }
    }

    pub(crate) fn ask(
        &self,
        context: &Context<'_>,
        pat: &Pat,
        permissions: &[PermissionRequest],
    ) -> Build {
        match self {
            Self::Uma2 => uma2::ask(context, pat, permissions),
            Self::Draft03 => draft03::ask(context, pat, permissions),
        }
    }

    pub(crate) fn asked(
        &self,
        context: &Context<'_>,
        answer: &Answer,
    ) -> Result<PermissionOutcome, Error> {
        match self {
            Self::Uma2 => uma2::asked(context, answer),
            Self::Draft03 => draft03::asked(context, answer),
        }
    }

    pub(crate) fn introspect(
        &self,
        context: &Context<'_>,
        credential: IntrospectionCredential<'_>,
        token: &Secret,
    ) -> Build {
        match self {
            Self::Uma2 => uma2::introspect(context, credential, token),
            Self::Draft03 => draft03::introspect(context, credential, token),
        }
    }

    pub(crate) fn introspected(
        &self,
        context: &Context<'_>,
        answer: &Answer,
    ) -> Result<Introspection, Error> {
        match self {
            Self::Uma2 => uma2::introspected(context, answer),
            Self::Draft03 => draft03::introspected(context, answer),
        }
    }

    /// Whether a ticket is exchanged with the requester's own token, and there is none yet.
    pub(crate) fn exchange_needs_token(&self, exchange: &TicketExchange) -> bool {
        match self {
            Self::Uma2 => false,
            Self::Draft03 => draft03::exchange_needs_token(exchange),
        }
    }

    pub(crate) fn own_token(&self, context: &Context<'_>) -> Build {
        match self {
            Self::Uma2 => uma2::own_token(),
            Self::Draft03 => draft03::own_token(context),
        }
    }

    pub(crate) fn own_token_given(
        &self,
        context: &Context<'_>,
        answer: &Answer,
    ) -> Result<Grant, Error> {
        match self {
            Self::Uma2 => uma2::own_token(),
            Self::Draft03 => draft03::own_token_given(context, answer),
        }
    }

    pub(crate) fn exchange(&self, context: &Context<'_>, exchange: &TicketExchange) -> Build {
        match self {
            Self::Uma2 => uma2::exchange(context, exchange),
            Self::Draft03 => draft03::exchange(context, exchange),
        }
    }

    pub(crate) fn exchanged(
        &self,
        context: &Context<'_>,
        sent: &Ticket,
        answer: &Answer,
    ) -> Result<Exchange, Error> {
        match self {
            Self::Uma2 => uma2::exchanged(context, sent, answer),
            Self::Draft03 => draft03::exchanged(context, sent, answer),
        }
    }
}
