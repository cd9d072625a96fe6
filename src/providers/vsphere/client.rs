//! A vCenter with our session: signed in when the first call needs it, and again when vCenter has ended it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, Semaphore};

use super::failure::Failure;
use super::method::{
    ContinueRetrievePropertiesEx, FindByInventoryPath, FindByUuid, Login, Logout, RetrievePropertiesEx,
    RetrieveServiceContent,
};
use super::soap::{self, Method};
use super::spec::{FilterSpec, ObjectSpec, PropertySpec, RetrieveOptions};
use super::transport::{Message, Transport};
use super::vim::{Moref, ObjectContent, ServiceContent};

/// How long a call may take that only starts something, or reads.
const LIMIT: Duration = Duration::from_secs(60);
/// Calls that are under way at once: vCenter serves everybody else as well.
const AT_ONCE: usize = 8;
/// Objects in one part of an answer.
const PART: u32 = 200;

/// What vCenter gave us when we signed in.
pub(super) struct Session {
    cookie: Option<String>,
    /// Its key, by which rights are asked for.
    pub key: String,
    /// When the server's certificate ends.
    pub trusted_until: Option<DateTime<Utc>>,
    pub content: ServiceContent,
}

/// A vCenter that we are signed in to.
pub(super) struct Client {
    transport: Box<dyn Transport>,
    username: String,
    password: String,
    session: Mutex<Option<Arc<Session>>>,
    turns: Semaphore,
}

impl Client {
    pub fn new(transport: Box<dyn Transport>, username: &str, password: &str) -> Self {
        Self {
            transport,
            username: username.to_owned(),
            password: password.to_owned(),
            session: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// The session, opened when there is none. Who comes meanwhile waits for it and opens no second one.
    pub async fn session(&self) -> Result<Arc<Session>, Failure> {
        let mut held = self.session.lock().await;
        if let Some(session) = held.as_ref() {
            return Ok(Arc::clone(session));
        }
        let instance = Moref::new("ServiceInstance", "ServiceInstance");
        let (content, ..) = self.exchange(&RetrieveServiceContent { this: &instance }, None, LIMIT).await?;
        let content = content.returnval;
        let login = Login { this: &content.session_manager, user_name: &self.username, password: &self.password };
        let (opened, cookie, trusted_until) = self.exchange(&login, None, LIMIT).await?;
        tracing::info!(vcenter = %content.about.full_name, "signed in");
        let session = Arc::new(Session { cookie, key: opened.returnval.key, trusted_until, content });
        *held = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Asks for `method`; when vCenter has ended the session, signs in once and asks again.
    pub async fn call<M: Method>(&self, method: &M) -> Result<M::Answer, Failure> {
        let _turn =
            self.turns.acquire().await.map_err(|_| Failure::Unreachable("the provider is closed".to_owned()))?;
        if M::CHANGES {
            test_boundary::pass("before a call");
        }
        let answer = self.call_within(method, LIMIT).await;
        if M::CHANGES {
            test_boundary::pass("after a call");
        }
        answer
    }

    /// As [`Client::call`], for a method that waits on purpose: it takes no turn from others.
    pub async fn call_within<M: Method>(&self, method: &M, limit: Duration) -> Result<M::Answer, Failure> {
        let session = self.session().await?;
        let refused = match self.exchange(method, session.cookie.as_deref(), limit).await {
            Ok((answer, ..)) => return Ok(answer),
            Err(failure) if failure.is("NotAuthenticated") => session,
            Err(failure) => return Err(failure),
        };
        self.forget(&refused).await;
        let session = self.session().await?;
        let (answer, ..) = self.exchange(method, session.cookie.as_deref(), limit).await?;
        Ok(answer)
    }

    /// Ends the session, if there is one.
    pub async fn logout(&self) {
        let Some(session) = self.session.lock().await.take() else { return };
        let logout = Logout { this: &session.content.session_manager };
        if let Err(failure) = self.exchange(&logout, session.cookie.as_deref(), LIMIT).await {
            tracing::debug!(?failure, "the session was not ended; vCenter does so when it has been idle for long");
        }
    }

    /// What stands at this path, `DC0/vm/debian-12`.
    pub async fn find_path(&self, path: &str) -> Result<Option<Moref>, Failure> {
        let session = self.session().await?;
        let find = FindByInventoryPath { this: &session.content.search_index, inventory_path: path };
        Ok(self.call(&find).await?.returnval)
    }

    /// The machine with this instance UUID.
    pub async fn find_uuid(&self, uuid: &str) -> Result<Option<Moref>, Failure> {
        let session = self.session().await?;
        let find = FindByUuid { this: &session.content.search_index, uuid, vm_search: true, instance_uuid: true };
        Ok(self.call(&find).await?.returnval)
    }

    /// These properties of one object; nothing when it is gone.
    pub async fn look(&self, object: &Moref, paths: &[&'static str]) -> Result<Option<ObjectContent>, Failure> {
        let spec = FilterSpec {
            prop_set: vec![PropertySpec { r#type: &object.kind, path_set: paths }],
            object_set: vec![ObjectSpec::itself(object)],
            report_missing_objects_in_results: true,
        };
        Ok(self.properties(spec).await?.into_iter().next())
    }

    /// The properties that `spec` asks for, of all objects.
    pub async fn properties(&self, spec: FilterSpec<'_>) -> Result<Vec<ObjectContent>, Failure> {
        let session = self.session().await?;
        let collector = &session.content.property_collector;
        let first =
            RetrievePropertiesEx { this: collector, spec_set: spec, options: RetrieveOptions { max_objects: PART } };
        let Some(mut part) = self.call(&first).await?.returnval else { return Ok(Vec::new()) };
        let mut objects = part.objects;
        while let Some(token) = part.token.take() {
            part = self.call(&ContinueRetrievePropertiesEx { this: collector, token: &token }).await?.returnval;
            objects.append(&mut part.objects);
        }
        Ok(objects)
    }

    async fn exchange<M: Method>(
        &self,
        method: &M,
        cookie: Option<&str>,
        limit: Duration,
    ) -> Result<(M::Answer, Option<String>, Option<DateTime<Utc>>), Failure> {
        let message = Message { body: soap::request(method)?, cookie: cookie.map(str::to_owned), limit };
        let answer = self.transport.exchange(message).await?;
        Ok((soap::reply(&answer.body)?, answer.cookie, answer.trusted_until))
    }

    /// Forgets the session that vCenter has ended, unless somebody has opened another one meanwhile.
    async fn forget(&self, ended: &Arc<Session>) {
        let mut held = self.session.lock().await;
        if held.as_ref().is_some_and(|session| Arc::ptr_eq(session, ended)) {
            *held = None;
        }
    }
}
