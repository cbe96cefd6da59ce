//! `GET /v1/openapi.json` is true: every example in it is sent or held against what comes back.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of tests stops where it cannot go on"
)]

use std::collections::BTreeSet;

use bluum_hooks_tests::client::{Call, Client, text};
use bluum_hooks_tests::daemon::{self, Daemon, Shared};
use bluum_hooks_tests::wait;
use http::Method;
use serde_json::{Value, json};

/// The routes of the wire contract.
const CONTRACT: &[&str] = &[
    "POST /v1/events",
    "POST /v1/events/batch",
    "GET /v1/events",
    "GET /v1/events/stream",
    "GET /v1/events/{id}",
    "GET /v1/events/{id}/deliveries",
    "GET /v1/webhooks/event-types",
    "POST /v1/webhooks",
    "GET /v1/webhooks",
    "GET /v1/webhooks/{id}",
    "PATCH /v1/webhooks/{id}",
    "DELETE /v1/webhooks/{id}",
    "POST /v1/webhooks/{id}/secrets",
    "POST /v1/webhooks/{id}/test",
    "GET /v1/webhooks/{id}/deliveries",
    "GET /v1/deliveries/{id}",
    "POST /v1/deliveries/{id}/replay",
    "POST /v1/webhooks/{id}/replay",
    "GET /v1/webhooks/{id}/replays",
    "GET /v1/replays/{id}",
    "DELETE /v1/replays/{id}",
    "PUT /v1/listeners/{name}",
    "GET /v1/listeners/{name}",
    "DELETE /v1/listeners/{name}",
    "GET /v1/listeners/{name}/stream",
    "POST /v1/listeners/{name}/results",
    "POST /v1/listeners/{name}/seek",
    "POST /v1/tenants",
    "GET /v1/tenants",
    "GET /v1/tenants/{id}",
    "POST /v1/keys",
    "GET /v1/keys",
    "GET /v1/keys/{id}",
    "DELETE /v1/keys/{id}",
    "GET /v1/openapi.json",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
];

/// What a request body or an answer may be, by the document.
struct Content<'a> {
    /// Where it stands, for whoever reads a failure.
    place: String,
    schema: &'a Value,
    example: &'a Value,
}

/// The document, with its schemas closed: a field that is not described is a failure.
struct Document(Value);

/// One method of one path.
struct Operation<'a> {
    method: Method,
    path: &'a str,
    said: &'a Value,
}

impl Document {
    async fn of(client: &Client) -> Self {
        let response = client.get("/v1/openapi.json").await;
        assert_eq!(response.header("content-type"), Some("application/json"));
        let mut document = response.must_be(200);
        for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
            if schema.get("properties").is_some() {
                schema["additionalProperties"] = json!(false);
            }
        }
        Self(document)
    }

    /// Those that make something first, those that take something away last.
    fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, said)| {
                let method = method.to_uppercase().parse().unwrap();
                Operation { method, path, said }
            })
        });
        let mut operations: Vec<_> = operations.collect();
        operations.sort_by_key(|operation| match operation.method {
            Method::PUT => 0,
            Method::POST => 1,
            Method::DELETE => 3,
            _ => 2,
        });
        operations
    }

    /// What is wrong with a value, by its schema.
    fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut whole = schema.clone();
        whole["components"] = self.0["components"].clone();
        let checker = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
        let faults = checker.iter_errors(value);
        faults.map(|fault| format!("{} at '{}'", fault, fault.instance_path())).collect()
    }

    fn check(&self, place: &str, schema: &Value, value: &Value) {
        let faults = self.faults(schema, value);
        assert!(faults.is_empty(), "{place}: {}\nin {value:#}", faults.join("\n"));
    }

    /// An answer, in whatever place it is described.
    fn resolved<'a>(&'a self, answer: &'a Value) -> &'a Value {
        let shared = answer["$ref"].as_str().and_then(|place| self.0.pointer(&place[1..]));
        shared.unwrap_or(answer)
    }

    /// The content of the answer that an operation gives with this status: its type and the rest.
    fn answer<'a>(&'a self, operation: &'a Operation<'_>, status: &str) -> (&'a str, &'a Value) {
        let content = self.resolved(&operation.said["responses"][status])["content"].as_object();
        let (media_type, content) = content.unwrap().iter().next().unwrap();
        (media_type, &content["schema"])
    }

    /// Every body of an operation, of the request and of each answer.
    fn contents<'a>(&'a self, operation: &'a Operation<'_>) -> Vec<Content<'a>> {
        let request = ("the request".to_owned(), &operation.said["requestBody"]);
        let answers = operation.said["responses"].as_object().unwrap().iter();
        let answers = answers.map(|(status, answer)| (status.clone(), self.resolved(answer)));
        let mut contents = Vec::new();
        for (part, body) in std::iter::once(request).chain(answers) {
            let media_types = body["content"].as_object();
            let Some((_, content)) = media_types.and_then(|all| all.iter().next()) else {
                continue;
            };
            let one = content.get("example");
            let many = content["examples"].as_object().into_iter().flatten();
            for example in one.into_iter().chain(many.map(|(_, example)| &example["value"])) {
                let place = format!("{} in {part}", operation.name());
                contents.push(Content { place, schema: &content["schema"], example });
            }
        }
        contents
    }
}

impl Operation<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn needs_key(&self) -> bool {
        self.said["security"] != json!([])
    }

    /// The status of an answer when all goes well and is done.
    fn success(&self) -> &str {
        let mut statuses = self.said["responses"].as_object().unwrap().keys().rev();
        statuses.find(|status| status.starts_with('2')).expect("a success is described")
    }

    /// The request as the document has it, about things that exist.
    fn example(&self, ids: &[(&str, String)]) -> Call {
        let id = ids.iter().find(|(prefix, _)| self.path.starts_with(prefix));
        let path = match self.path.contains("{id}") {
            true => self.path.replace("{id}", &id.expect("a thing to ask for").1),
            false => self.path.replace("{name}", "ana@laptop"),
        };
        let mut call = Call::new(self.method.clone(), path);
        let example = &self.said["requestBody"]["content"]["application/json"]["example"];
        if !example.is_null() {
            call = call.body(example.to_string());
        }
        for parameter in self.said["parameters"].as_array().unwrap() {
            if let Some(value) = parameter["example"].as_str() {
                // The same key may not stand for two requests.
                let value = format!("{value}-{}", text(self.said, "operationId"));
                call = call.header(text(parameter, "name"), &value);
            }
        }
        call
    }
}

fn daemon() -> Shared {
    daemon::shared(&[])
}

#[tokio::test]
async fn every_route_of_the_contract_is_described_with_examples() {
    let document = Document::of(&daemon().client(None)).await;
    let operations = document.operations();
    let described: BTreeSet<_> = operations.iter().map(Operation::name).collect();
    let contract: BTreeSet<_> = CONTRACT.iter().map(|&route| route.to_owned()).collect();
    assert_eq!(described, contract);

    let mut ids = BTreeSet::new();
    for operation in &operations {
        let (name, said) = (operation.name(), operation.said);
        assert!(ids.insert(text(said, "operationId")), "{name} shares its operationId");
        for field in ["summary", "description"] {
            assert!(!text(said, field).is_empty(), "{name} has no {field}");
        }
        assert!(said["tags"][0].is_string(), "{name} has no tag");
        for (status, answer) in said["responses"].as_object().unwrap() {
            let answer = document.resolved(answer);
            assert!(answer["description"].is_string(), "{name} answers {status}: with what?");
            assert!(answer["headers"]["X-Request-Id"].is_object(), "{name} {status}");
        }
        let bodies = said["responses"].as_object().unwrap().len()
            + usize::from(said.get("requestBody").is_some());
        let itself = usize::from(operation.path == "/v1/openapi.json");
        let examples: BTreeSet<_> =
            document.contents(operation).into_iter().map(|content| content.place).collect();
        assert_eq!(examples.len(), bodies - itself, "bodies without an example: {name}");
    }
}

#[tokio::test]
async fn every_example_fits_its_schema() {
    let document = Document::of(&daemon().client(None)).await;
    let mut checked = BTreeSet::new();
    for operation in document.operations() {
        for Content { place, schema, example } in document.contents(&operation) {
            // Errors are the same everywhere.
            if checked.insert(format!("{schema} {example}")) {
                document.check(&place, schema, example);
            }
        }
        for parameter in operation.said["parameters"].as_array().unwrap() {
            if let Some(example) = parameter.get("example") {
                document.check(&operation.name(), &parameter["schema"], example);
            }
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let Document(document) = Document::of(&daemon().client(None)).await;
    let mut values = vec![&document];
    while let Some(value) = values.pop() {
        values.extend(value.as_array().into_iter().flatten());
        values.extend(value.as_object().into_iter().flat_map(|object| object.values()));
        if let Some(place) = value["$ref"].as_str() {
            let there = document.pointer(place.trim_start_matches('#'));
            assert!(there.is_some(), "there is nothing at {place}");
        }
    }
}

#[tokio::test]
async fn every_request_example_is_answered_as_described() {
    let daemon = Daemon::start();
    let (operator, tenant) = (daemon.operator(), daemon.tenant());
    let document = Document::of(&daemon.client(None)).await;
    // Nobody listens there, and nobody tries again: so there is something to replay.
    let url = "http://127.0.0.1:9/";
    let webhook = json!({"url": url, "eventTypeNames": ["*"], "retry_schedule": []});
    let webhook = tenant.post("/v1/webhooks", &webhook).await.must_be(201);
    let event = json!({"event": "order.filled", "data": {"id": "ord_1"}});
    let event = tenant.post("/v1/events", &event).await.must_be(202);
    let deliveries = format!("/v1/events/{}/deliveries", text(&event, "id"));
    let delivery = wait::until("the delivery to be parked", async || {
        let delivery = tenant.list(&deliveries).await.remove(0);
        if delivery["status"] == "parked" { Ok(delivery) } else { Err(delivery) }
    });
    let delivery = delivery.await;
    let replay = format!("/v1/webhooks/{}/replay", text(&webhook, "id"));
    let replay = tenant.post(&replay, &json!({"event": "kyc.decided"})).await.must_be(202);
    let key = daemon.new_key(&json!({"role": "tenant"})).await.key;
    let ids = [
        ("/v1/webhooks", text(&webhook, "id").to_owned()),
        ("/v1/events", text(&event, "id").to_owned()),
        ("/v1/deliveries", text(&delivery, "id").to_owned()),
        ("/v1/replays", text(&replay, "id").to_owned()),
        ("/v1/tenants", daemon.tenant_id().to_owned()),
        ("/v1/keys", key),
    ];
    for operation in document.operations() {
        let (name, call) = (operation.name(), operation.example(&ids));
        let (media_type, schema) = document.answer(&operation, operation.success());
        if media_type != "application/json" {
            // The stream has no end; that and the metrics have tests of their own.
            continue;
        }
        let client = match operation.path.split('/').nth(2) {
            Some("tenants" | "keys") => &operator,
            _ => &tenant,
        };
        let response = client.send(call.clone()).await;
        let body = response.must_be(operation.success().parse().unwrap());
        assert_eq!(response.header("content-type"), Some(media_type), "{name}");
        document.check(&name, schema, &body);

        if operation.needs_key() {
            let refused = daemon.client(None).send(call).await.must_be(401);
            document.check(&name, document.answer(&operation, "401").1, &refused);
        }
    }
}
