//! One operation of the API as a value: its handler and what the document says of it stand side by side, and routes,
//! refused methods and the OpenAPI document all come from it.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, Responder, Route, web};
use domain::token::TokenScope;
use serde_json::{Value, json};
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use super::paging::Paging;

/// What every operation may answer: larger than we take, our own mistake, and too slow or without a database.
const ALWAYS: [u16; 4] = [400, 413, 500, 503];

/// An operation of the API.
pub struct Endpoint {
    pub method: Method,
    /// Below the base of the API.
    pub path: &'static str,
    pub route: Route,
    /// The schemas that it names, by name.
    pub schemas: BTreeMap<String, Value>,
    tag: &'static str,
    summary: &'static str,
    /// Whether it needs no token.
    is_open: bool,
    scope: Option<TokenScope>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answer: (u16, Value),
    refusals: BTreeSet<u16>,
}

impl Endpoint {
    /// Looks at something.
    pub fn get<F, Args>(path: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::GET, path, web::get().to(handler))
    }

    /// Does something.
    pub fn post<F, Args>(path: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let key = "New for each thing that is asked, 8 to 200 letters. The same key with the same body is done once, \
                   and answered with how that stands now; with another body it is refused with 422.";
        Self::new(Method::POST, path, web::post().to(handler)).header("Idempotency-Key", key).may(&[422])
    }

    /// Sets something.
    pub fn put<F, Args>(path: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::PUT, path, web::put().to(handler))
    }

    /// Takes something away.
    pub fn delete<F, Args>(path: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::DELETE, path, web::delete().to(handler))
    }

    fn new(method: Method, path: &'static str, route: Route) -> Self {
        let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let in_path = |name| {
            let schema = json!({ "type": "string" });
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        };
        let parameters: Vec<Value> = names.map(in_path).collect();
        let mut refusals = BTreeSet::from(ALWAYS);
        refusals.extend((!parameters.is_empty()).then_some(404));
        Self {
            method,
            path,
            route,
            tag: "",
            summary: "",
            is_open: true,
            scope: None,
            parameters,
            body: None,
            answer: (204, Value::Null),
            refusals,
            schemas: BTreeMap::new(),
        }
    }

    /// What it does, and under which heading it stands.
    pub fn is(mut self, tag: &'static str, summary: &'static str) -> Self {
        (self.tag, self.summary) = (tag, summary);
        self
    }

    /// The scope that the caller's token needs.
    pub fn needs(mut self, scope: TokenScope) -> Self {
        self.scope = Some(scope);
        self.needs_any_token().may(&[403])
    }

    /// Any token that is valid may.
    pub fn needs_any_token(mut self) -> Self {
        self.is_open = false;
        self.may(&[401])
    }

    /// Which refusals it may answer beyond those that follow from what it takes.
    pub fn may(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    /// Parameters of its address.
    pub fn asks<P: IntoParams>(mut self) -> Self {
        self.parameters.extend(P::into_params(|| Some(ParameterIn::Query)).iter().map(|parameter| json!(parameter)));
        self.may(&[422])
    }

    /// The body that it takes.
    pub fn takes<B: ToSchema>(mut self) -> Self {
        self.body = Some(self.refer_to::<B>());
        self.may(&[415, 422])
    }

    /// Only says what would be, so that it may be asked again without a key.
    pub fn changes_nothing(self) -> Self {
        self.without_key()
    }

    /// Can't be done twice whatever it comes with, so that a key would say nothing.
    pub fn happens_once(self) -> Self {
        self.without_key()
    }

    fn without_key(mut self) -> Self {
        self.parameters.retain(|parameter| parameter["in"] != "header");
        self
    }

    /// Orders, so that the key is needed; says where the new request is, or what stands against it.
    pub fn orders<T: ToSchema>(mut self) -> Self {
        for parameter in self.parameters.iter_mut().filter(|parameter| parameter["in"] == "header") {
            parameter["required"] = json!(true);
        }
        self.answer = (201, self.refer_to::<T>());
        self.may(&[409])
    }

    /// What it answers.
    pub fn gives<T: ToSchema>(mut self) -> Self {
        self.answer = (200, self.refer_to::<T>());
        self
    }

    /// A JSON object that says itself what it is.
    pub fn gives_object(mut self) -> Self {
        self.answer = (200, json!({ "type": "object" }));
        self
    }

    /// What it answers: the page of a list that its address asks for.
    pub fn lists<T: ToSchema>(mut self) -> Self {
        let items = json!({ "type": "array", "items": self.refer_to::<T>() });
        let next =
            json!({ "type": ["string", "null"], "description": "The cursor of the next page; null on the last." });
        self.answer = (
            200,
            json!({
                "type": "object",
                "required": ["items", "next"],
                "properties": { "items": items, "next": next },
            }),
        );
        self.asks::<Paging>()
    }

    fn header(mut self, name: &str, description: &str) -> Self {
        let schema = json!({ "type": "string", "minLength": 8, "maxLength": 200 });
        self.parameters.push(json!({ "name": name, "in": "header", "description": description, "schema": schema }));
        self
    }

    fn refer_to<T: ToSchema>(&mut self) -> Value {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        self.schemas.extend(schemas.into_iter().map(|(name, schema)| (name, json!(schema))));
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    /// What the document says of it.
    pub fn documented(&self) -> Value {
        let refusals = self.refusals.iter().map(|status| (status.to_string(), refers_to_refusal(*status)));
        let mut responses: BTreeMap<String, Value> = refusals.collect();
        responses.insert(self.answer.0.to_string(), self.answered());
        let scopes: Vec<&str> = self.scope.iter().map(|scope| scope.word()).collect();
        let security = if self.is_open { json!([]) } else { json!([{ "token": scopes }]) };
        let mut operation = json!({
            "tags": [self.tag],
            "summary": self.summary,
            "operationId": self.operation_id(),
            "parameters": self.parameters,
            "responses": responses,
            "security": security,
        });
        if let Some(schema) = &self.body {
            operation["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        }
        operation
    }

    fn answered(&self) -> Value {
        let (status, schema) = &self.answer;
        match (status, schema) {
            (_, Value::Null) => json!({ "description": "Done" }),
            (201, schema) => json!({
                "description": "Filed; carried out once everybody who has to has approved it",
                "headers": { "Location": { "schema": { "type": "string" }, "description": "Where the request is" } },
                "content": { "application/json": { "schema": schema } },
            }),
            (_, schema) => {
                json!({ "description": "As asked", "content": { "application/json": { "schema": schema } } })
            }
        }
    }

    /// `post_requests_id_withdraw`: unique, and good enough for a generated client.
    fn operation_id(&self) -> String {
        let words = self.path.split(['/', '{', '}', '.']).filter(|word| !word.is_empty());
        words.fold(self.method.as_str().to_lowercase(), |id, word| format!("{id}_{word}"))
    }
}

fn refers_to_refusal(status: u16) -> Value {
    json!({ "$ref": format!("#/components/responses/{status}") })
}
