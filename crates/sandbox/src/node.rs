//! Reading a dataset or a token: what a gateway asks before it sends.

use serde_json::{Map, Value, json};

use crate::answer::{GraphError, Reply};
use crate::request::Call;
use crate::tokens::no_object;
use crate::wire::{pairs, pick};

/// `GET /{version}/{id}?fields=…&metadata=1`
pub(crate) fn get(call: &Call<'_>) -> Result<Reply, GraphError> {
    let query = pairs(call.query.as_bytes());
    authorize(call, &query)?;
    let settings = &call.state.settings;
    let is_number = call.id.bytes().all(|byte| byte.is_ascii_digit());
    let is_business = settings.business_ids.contains(&call.id);
    if !is_number {
        let text = format!(
            "(#803) Some of the aliases you requested do not exist: {}",
            call.id
        );
        return Err(GraphError::new(404, 803, text));
    }
    if !is_business && !settings.is_dataset(&call.id) {
        return Err(no_object("get", &call.id));
    }
    let known = if is_business {
        business(&call.id)
    } else {
        dataset(&call.id)
    };
    let wanted = pick(&query, "fields").unwrap_or("id,name");
    let mut node = Map::new();
    for field in wanted
        .split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty())
    {
        let Some(value) = known.get(field) else {
            let kind = if is_business { "Business" } else { "AdsPixel" };
            let text =
                format!("(#100) Tried accessing nonexisting field ({field}) on node type ({kind})");
            return Err(GraphError::new(400, 100, text));
        };
        node.insert(field.to_owned(), value.clone());
    }
    node.insert("id".to_owned(), call.id.clone().into());
    if matches!(pick(&query, "metadata"), Some("1" | "true")) {
        let kind = if is_business { "business" } else { "adspixel" };
        let fields = known.keys().map(|name| json!({"name": name}));
        let fields: Vec<Value> = fields.collect();
        node.insert(
            "metadata".to_owned(),
            json!({"type": kind, "fields": fields}),
        );
    }
    Ok(Reply::json(200, &node))
}

fn dataset(id: &str) -> Map<String, Value> {
    let known = json!({
        "id": id,
        "name": format!("Sandbox dataset {id}"),
        "is_unavailable": false,
        "is_consolidated_container": true,
        "creation_time": "2026-01-01T00:00:00+0000",
        "can_proxy": false,
        "data_use_setting": "ADVERTISING_AND_ANALYTICS",
        "enable_automatic_matching": false,
        "first_party_cookie_status": "FIRST_PARTY_COOKIE_ENABLED",
    });
    object(known)
}

fn business(id: &str) -> Map<String, Value> {
    object(json!({"id": id, "name": format!("Sandbox business {id}")}))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// `GET /{version}/debug_token?input_token=…`
pub(crate) fn debug_token(call: &Call<'_>) -> Result<Reply, GraphError> {
    let query = pairs(call.query.as_bytes());
    let Some(input) = pick(&query, "input_token") else {
        let text = "(#100) The parameter input_token is required";
        return Err(GraphError::new(400, 100, text));
    };
    let by = pick(&query, "access_token").or(call.bearer.as_deref());
    if by.is_none() {
        let text = "An access token is required to request this resource.";
        return Err(GraphError::new(400, 104, text));
    }
    let answer = call.state.wallet.debug(input, call.now_ms / 1_000);
    Ok(Reply::json(200, &answer))
}

fn authorize(call: &Call<'_>, query: &[(String, String)]) -> Result<(), GraphError> {
    let token = pick(query, "access_token").or(call.bearer.as_deref());
    let proof = pick(query, "appsecret_proof");
    let now_s = call.now_ms / 1_000;
    call.state.wallet.check(token, proof, &call.id, now_s)
}
