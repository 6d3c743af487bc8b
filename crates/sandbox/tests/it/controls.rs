//! `/sandbox/…`: for people and for tests.

use std::net::SocketAddr;

use sluice_sandbox::{EarlierEvent, Settings};

use crate::client::{events, exchange, get, parse, post, send};
use crate::{batch, event, start};

#[tokio::test]
async fn ids_and_stats() {
    let sandbox = start(Settings::default()).await;
    let body = batch(&[event("a"), event("b"), event("a")]);
    events(
        &sandbox,
        &body.replacen('{', r#"{"test_event_code":"TEST1","#, 1),
    )
    .await;
    let ids = get(&sandbox, "/sandbox/ids").await;
    assert_eq!(ids.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<&str> = ids
        .body
        .lines()
        .filter(|line| line.starts_with('{'))
        .collect();
    assert_eq!(
        lines[0],
        r#"{"dataset":"1","event_name":"Lead","event_id":"a","received":2,"distinct":1}"#
    );
    assert_eq!(lines.len(), 2);
    let stats = get(&sandbox, "/sandbox/stats").await.json();
    assert_eq!(stats["by_dataset"]["1"]["Lead"]["received"], 3);
    assert_eq!(
        (
            &stats["answers"]["200"],
            &stats["test_event_codes"]["TEST1"]
        ),
        (&1.into(), &3.into())
    );
}

#[tokio::test]
async fn the_list_goes_on_where_it_ended() {
    let sandbox = start(Settings::default()).await;
    let many: Vec<String> = (0..5).map(|id| event(&id.to_string())).collect();
    events(&sandbox, &batch(&many[..3])).await;
    events(&sandbox, &batch(&many[3..])).await;
    let first = get(&sandbox, "/sandbox/received?after=0&limit=2")
        .await
        .json();
    assert_eq!(
        (&first["events"][0]["event"]["event_id"], &first["next"]),
        (&"0".into(), &2.into())
    );
    let second = get(&sandbox, "/sandbox/received?after=2").await.json();
    let ids: Vec<_> = second["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["event"]["event_id"])
        .collect();
    assert_eq!(ids, ["2", "3", "4"]);
    let end = get(&sandbox, "/sandbox/received?after=5").await.json();
    assert_eq!(
        (end["events"].as_array().unwrap().len(), &end["next"]),
        (0, &5.into())
    );
    let newest = get(&sandbox, "/sandbox/received?limit=1").await.json();
    assert_eq!(newest["events"][0]["number"], 5);
    let newest = get(&sandbox, "/sandbox/received?limit=1").await.body;
    assert!(newest.contains(&event("4")), "not as it was sent: {newest}");
    assert_eq!(
        send(&sandbox, "DELETE", "/sandbox/received", "", "")
            .await
            .status,
        200
    );
    events(&sandbox, &batch(&many[..1])).await;
    let after = get(&sandbox, "/sandbox/received?after=5").await.json();
    assert_eq!(after["events"][0]["number"], 6);
    assert_eq!(sandbox.stats().distinct, 1);
}

#[tokio::test]
async fn memory_is_bounded_and_says_so() {
    let sandbox = start(Settings {
        keep_events_max: 10,
        keep_ids_max: 20,
        ..Settings::default()
    })
    .await;
    for from in 0..10 {
        let ids = from * 5..from * 5 + 5;
        let body = batch(&ids.map(|id| event(&id.to_string())).collect::<Vec<_>>());
        assert_eq!(events(&sandbox, &body).await.status, 200);
    }
    let stats = sandbox.stats();
    assert_eq!((stats.events_received, stats.distinct), (50, 50));
    assert_eq!((stats.events_kept, stats.events_dropped), (10, 40));
    assert_eq!(
        (stats.ids_kept, stats.ids_forgotten, stats.ids_kept_max),
        (20, 30, 20)
    );
    assert_eq!(sandbox.received()[0].number, 41);
}

/// Each row: what is asked, and the status, code and subcode of the answer.
const REFUSED: [(&str, &str, &str, &str); 9] = [
    ("POST", "/v26.0/shop/events", "", "404 803"),
    ("POST", "/v26.0/9/events", "", "400 100/33"),
    ("POST", "/v26.0/1/events", r#"{"data":[]}"#, "400 100"),
    ("POST", "/v26.0/1/events", r#"{"data":"#, "400 100"),
    ("POST", "/v26.0/1/event", "{}", "404 2500"),
    ("POST", "/v99.0/1/events", "{}", "404 2500"),
    ("GET", "/v26.0/9", "", "400 100/33"),
    ("GET", "/v26.0/shop", "", "404 803"),
    ("DELETE", "/v26.0/1", "", "400 100/33"),
];

#[tokio::test]
async fn every_refused_request_is_counted_and_listed_without_its_token() {
    let sandbox = start(Settings {
        datasets: vec!["1".to_owned()],
        ..Settings::default()
    })
    .await;
    for (method, path, body, _) in REFUSED {
        let with_token = format!("{path}?access_token=SECRET");
        send(&sandbox, method, &with_token, "", body).await;
    }
    assert_eq!(get(&sandbox, "/v26.0/1").await.code(), (104, None));
    assert_eq!(sandbox.stats().refused, REFUSED.len() as u64 + 1);

    let got = get(&sandbox, "/sandbox/refused").await;
    assert!(!got.body.contains("SECRET"), "{}", got.body);
    let list = got.json();
    for (place, (method, path, _, label)) in REFUSED.iter().enumerate() {
        let listed = &list["requests"][place];
        assert_eq!(
            (&listed["method"], &listed["path"]),
            (&(*method).into(), &(*path).into())
        );
        let text = listed["refused"].as_str().unwrap();
        assert!(text.starts_with(&format!("{label}: ")), "{path}: {text}");
        assert_eq!(
            (&listed["events"], &listed["first_event"]),
            (&0.into(), &1.into())
        );
    }
    let rest = get(&sandbox, "/sandbox/refused?after=8&limit=1")
        .await
        .json();
    assert_eq!(
        (&rest["requests"][0]["number"], &rest["next"]),
        (&9.into(), &9.into())
    );
}

#[tokio::test]
async fn a_refused_request_says_which_events_were_its() {
    let sandbox = start(Settings::default()).await;
    events(&sandbox, &batch(&[event("a")])).await;
    let bad = event("b").replace("\"Lead\"", "\"Purchase\"");
    events(&sandbox, &batch(&[event("c"), bad])).await;
    events(&sandbox, &batch(&[])).await;
    let refused = sandbox.refused();
    let places: Vec<_> = refused
        .iter()
        .map(|it| (it.number, it.events, it.first_event))
        .collect();
    assert_eq!(places, [(1, 2, 2), (2, 0, 4)]);
    assert_eq!(
        sandbox.received()[1].refused.as_ref(),
        Some(&refused[0].refused)
    );
    // The bad one is named, and its neighbour is said to be none.
    let bad: Vec<_> = sandbox.received().iter().map(|it| it.refused_for).collect();
    assert_eq!(bad, [None, Some(3), Some(3)]);
    let page = get(&sandbox, "/sandbox").await.body;
    assert!(page.contains(">refused with #3</span>"), "{page}");
    assert_eq!(page.matches(">refused</span>").count(), 1, "{page}");
    sandbox.clear();
    assert!(sandbox.refused().is_empty());
    events(&sandbox, &batch(&[])).await;
    assert_eq!(sandbox.refused()[0].number, 3);
}

#[tokio::test]
async fn what_a_fault_answers_is_not_refused() {
    let sandbox = start(Settings {
        faults: sluice_sandbox::parse_script("500 x 1; throttle x 1").unwrap(),
        ..Settings::default()
    })
    .await;
    for _ in 0..2 {
        events(&sandbox, &batch(&[event("a")])).await;
    }
    assert_eq!((sandbox.stats().requests, sandbox.stats().refused), (2, 0));
    assert!(sandbox.refused().is_empty());
}

#[tokio::test]
async fn faults_are_scripted_over_http() {
    let sandbox = start(Settings::default()).await;
    let added = send(&sandbox, "POST", "/sandbox/faults", "", "500 x 1\nusage 10").await;
    assert_eq!(added.json()["faults"][0]["fault"], "500 x 1");
    let added = post(&sandbox, "/sandbox/faults", r#"{"faults":["503 x 1"]}"#).await;
    assert_eq!(added.json()["faults"].as_array().unwrap().len(), 3);
    let body = batch(&[event("a")]);
    assert_eq!(events(&sandbox, &body).await.status, 500);
    assert_eq!(events(&sandbox, &body).await.status, 503);
    let listed = get(&sandbox, "/sandbox/faults").await.json();
    assert_eq!(
        (&listed["faults"][0]["active"], &listed["faults"][0]["hits"]),
        (&false.into(), &1.into())
    );
    let replaced = send(&sandbox, "PUT", "/sandbox/faults", "", "hang on 7").await;
    assert_eq!(replaced.json()["faults"].as_array().unwrap().len(), 1);
    assert_eq!(
        send(&sandbox, "DELETE", "/sandbox/faults", "", "")
            .await
            .status,
        200
    );
    assert_eq!(
        get(&sandbox, "/sandbox/faults").await.json()["faults"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    let wrong = send(&sandbox, "POST", "/sandbox/faults", "", "500 x 1\nrest").await;
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.json()["error"]
            .as_str()
            .unwrap()
            .starts_with("line 2, \"rest\"")
    );
    assert_eq!(
        post(&sandbox, "/sandbox/faults", r#"{"fault":1}"#)
            .await
            .status,
        400
    );
}

/// A page that gives its own name the address 127.0.0.1 would read all events and set faults.
#[tokio::test]
async fn a_name_that_was_rebound_sees_and_changes_nothing() {
    let sandbox = start(Settings::default()).await;
    let port = sandbox.address().port();
    let asked = async |method: &str, path: &str, host: &str| {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = exchange(sandbox.address(), request.as_bytes()).await;
        parse(&answer.unwrap()).status
    };
    let foreign = format!("evil.example:{port}");
    for (method, path) in [
        ("GET", "/sandbox"),
        ("GET", "/sandbox/received"),
        ("GET", "/sandbox/ids"),
        ("GET", "/sandbox/stats"),
        ("DELETE", "/sandbox/received"),
        ("DELETE", "/sandbox/faults"),
    ] {
        assert_eq!(asked(method, path, &foreign).await, 403, "{method} {path}");
        let own = format!("localhost:{port}");
        assert_eq!(asked(method, path, &own).await, 200, "{method} {path}");
    }
    let open = start(Settings {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..Settings::default()
    })
    .await;
    let request =
        "GET /sandbox/stats HTTP/1.1\r\nHost: sandbox.shop.example\r\nConnection: close\r\n\r\n";
    let address = SocketAddr::from(([127, 0, 0, 1], open.address().port()));
    let answer = exchange(address, request.as_bytes()).await.unwrap();
    assert_eq!(parse(&answer).status, 200);
}

#[tokio::test]
async fn tokens_are_changed_over_http() {
    let sandbox = start(Settings::default()).await;
    let body = batch(&[event("a")]);
    for (change, status) in [
        (r#"{"token":"T","state":"revoked"}"#, 401),
        (r#"[{"token":"T","state":"wrong-permission"}]"#, 403),
        (r#"{"token":"T","datasets":["2"]}"#, 400),
        (r#"{"unlisted":"unknown","tokens":[{"token":"T"}]}"#, 200),
    ] {
        assert_eq!(
            post(&sandbox, "/sandbox/tokens", change).await.status,
            200,
            "{change}"
        );
        assert_eq!(events(&sandbox, &body).await.status, status, "{change}");
    }
    let other = post(&sandbox, "/v26.0/1/events?access_token=U", &body).await;
    assert_eq!(other.code(), (190, None));
    assert_eq!(
        send(&sandbox, "DELETE", "/sandbox/tokens", "", "")
            .await
            .status,
        200
    );
    let other = post(&sandbox, "/v26.0/1/events?access_token=U", &body).await;
    assert_eq!(other.status, 200);
    let wrong = post(
        &sandbox,
        "/sandbox/tokens",
        r#"{"token":"T","state":"asleep"}"#,
    )
    .await;
    assert!(
        wrong.status == 400 && wrong.body.contains("asleep"),
        "{}",
        wrong.body
    );
}

#[tokio::test]
async fn garbage_is_answered_like_everything_else() {
    let sandbox = start(Settings::default()).await;
    let good = batch(&[event("a"), event("b")]).into_bytes();
    let mut seed: u64 = 7;
    for _ in 0..300 {
        let mut body = good.clone();
        for _ in 0..3 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = usize::try_from(seed >> 33).unwrap() % body.len();
            body[place] = br#"{}[]",:\0aZ-. "#[usize::try_from(seed >> 20 & 15).unwrap() % 14];
        }
        let got = events(&sandbox, &String::from_utf8(body).unwrap()).await;
        let json = got.json();
        let is_answer = json["events_received"] == 2 || json["error"]["code"] == 100;
        assert!(is_answer, "{}", got.body);
    }
    for path in [
        "/sandbox/received?after=18446744073709551615",
        "/sandbox/received?after=-1&limit=99999999999999999999",
        "/sandbox?limit=0",
        "/sandbox?limit=1000",
        "/sandbox/ids?x=%ff%00",
        "/v26.0/%0d%0a/events",
    ] {
        assert_ne!(get(&sandbox, path).await.status, 0, "{path}");
    }
}

#[tokio::test]
async fn a_foreign_page_changes_nothing() {
    let sandbox = start(Settings::default()).await;
    let foreign = "Origin: https://evil.example\r\n";
    let got = send(&sandbox, "POST", "/sandbox/faults", foreign, "500").await;
    assert_eq!(got.status, 403);
    let own = "Origin: http://localhost\r\n";
    let got = send(&sandbox, "POST", "/sandbox/faults", own, "500").await;
    assert_eq!(got.status, 200);
}

#[tokio::test]
async fn the_page_shows_values_and_only_what_is_asked_for() {
    let sandbox = start(Settings::default()).await;
    let root = get(&sandbox, "/").await;
    assert_eq!(
        (root.status, root.header("location")),
        (302, Some("/sandbox"))
    );
    assert_eq!(sandbox.stats().requests_elsewhere, 0);
    let purchase = event("b").replace(
        "\"Lead\"",
        r#""Purchase","custom_data":{"currency":"EUR","value":1299.5}"#,
    );
    events(&sandbox, &batch(&[event("a"), purchase, event("a")])).await;
    let rows = async |query: &str| {
        let page = get(&sandbox, &format!("/sandbox{query}")).await.body;
        let rows = page.split("<details class=\"row\" id=\"").skip(1);
        let ids: Vec<_> = rows.map(|row| row[..2].to_owned()).collect();
        (ids.join(" "), page)
    };
    let (all, page) = rows("").await;
    assert_eq!(all, "e3 e2 e1");
    assert!(
        page.contains("<span class=\"value\">1,299.50 EUR</span>"),
        "{page}"
    );
    assert!(
        page.contains("<span class=\"who\">user_agent, fbp, em</span>"),
        "{page}"
    );
    for (query, expected) in [
        ("?name=purch", "e2"),
        ("?verdict=duplicate", "e3"),
        ("?name=lead&verdict=received", "e1"),
        ("?name=lead&limit=1", "e3"),
        ("?verdict=refused", ""),
    ] {
        assert_eq!(rows(query).await.0, expected, "{query}");
    }
}

#[tokio::test]
async fn a_filter_that_does_not_exist_is_said_to_be_none() {
    let sandbox = start(Settings::default()).await;
    events(&sandbox, &batch(&[event("a")])).await;
    for (path, expected) in [
        (
            "/sandbox?verdict=nonsense",
            r#"there is no verdict "nonsense"; there are received, duplicate, refused"#,
        ),
        (
            "/sandbox?verdit=refused",
            r#"there is no "verdit"; there are name, verdict, limit"#,
        ),
        (
            "/sandbox?limit=ten",
            r#"limit is a whole number, found "ten""#,
        ),
        (
            "/sandbox/received?after=-1",
            r#"after is a whole number, found "-1""#,
        ),
        (
            "/sandbox/received?name=Lead",
            r#"there is no "name"; there are after, limit"#,
        ),
        (
            "/sandbox/refused?limit=1.5",
            r#"limit is a whole number, found "1.5""#,
        ),
    ] {
        let got = get(&sandbox, path).await;
        assert_eq!(
            (got.status, got.json()["error"].as_str()),
            (400, Some(expected)),
            "{path}"
        );
    }
    // Without a value it filters nothing, as the form sends it.
    assert_eq!(get(&sandbox, "/sandbox?name=&verdict=").await.status, 200);
}

#[tokio::test]
async fn events_of_an_earlier_run_are_shown_as_they_were() {
    let sandbox = start(Settings::default()).await;
    let earlier = |id: &str, refused: Option<&str>| EarlierEvent {
        dataset: "1".to_owned(),
        test_event_code: Some("TEST1".to_owned()),
        // Older than Meta takes: it was taken then.
        received_ms: 1_700_000_000_000,
        refused: refused.map(str::to_owned),
        event: event(id),
    };
    sandbox.remember(&[
        earlier("a", None),
        earlier("b", Some("100/2804009: no value")),
    ]);
    let [first, second] = &sandbox.received()[..] else {
        panic!("{:?}", sandbox.received());
    };
    assert_eq!(
        (first.received_ms, &first.refused),
        (1_700_000_000_000, &None)
    );
    assert_eq!(second.refused.as_deref(), Some("100/2804009: no value"));
    let stats = sandbox.stats();
    assert_eq!((stats.earlier, stats.events_received), (2, 1));
    assert_eq!((stats.requests, stats.refused), (0, 0));
    let page = get(&sandbox, "/sandbox").await.body;
    assert!(
        page.contains("<dt>events of earlier runs</dt><dd>2</dd>"),
        "{page}"
    );
}

#[tokio::test]
async fn an_empty_page_says_what_sends_an_event() {
    let sandbox = start(Settings::default()).await;
    let page = get(&sandbox, "/sandbox").await.body;
    assert!(
        page.contains("POST /v27.0/&lt;dataset&gt;/events"),
        "{page}"
    );
    sandbox.invite("curl http://127.0.0.1:8080/v1/events".to_owned());
    let page = get(&sandbox, "/sandbox").await.body;
    assert!(
        page.contains("<pre>curl http://127.0.0.1:8080/v1/events</pre>"),
        "{page}"
    );
    let page = get(&sandbox, "/sandbox?name=x").await.body;
    assert!(page.contains("None of the newest 1,000 events"), "{page}");
}

#[tokio::test]
async fn the_page_shows_what_arrived_and_runs_nothing_of_it() {
    let sandbox = start(Settings::default()).await;
    let evil = event("<script>alert(1)</script>");
    events(&sandbox, &batch(&[evil])).await;
    let page = get(&sandbox, "/sandbox").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    assert!(page.body.contains("&lt;script&gt;alert(1)") && !page.body.contains("<script>"));
    assert!(page.body.contains(">hashed<") && page.body.contains("Lead"));
    for (path, kind) in [
        ("/sandbox/page.css", "text/css"),
        ("/sandbox/page.js", "text/javascript"),
    ] {
        let asset = get(&sandbox, path).await;
        assert!(asset.header("content-type").unwrap().starts_with(kind));
    }
    assert_eq!(get(&sandbox, "/sandbox/else").await.status, 404);
    assert_eq!(
        send(&sandbox, "POST", "/sandbox/ids", "", "").await.status,
        405
    );
}
