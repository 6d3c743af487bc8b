use super::*;

#[test]
fn reads_every_fault_and_writes_it_back() {
    for (text, written) in [
        ("500 for 10s", "500 for 10s"),
        ("html 502 x 20", "html 502 x 20"),
        ("empty 503 x3", "empty 503 x 3"),
        ("reset x 5 late", "reset x 5 late"),
        ("hang for 30s on 123", "hang for 30s on 123"),
        ("slow 2s p=0.01", "slow 2s p=0.01"),
        ("delay 12s first", "slow 12s x 1"),
        ("throttle for 1m", "throttle 80004 for 1m"),
        ("throttle 4 regain 90s x 1", "throttle 4 regain 2m x 1"),
        ("token-expired for 20s in 1h", "token-expired in 1h for 20s"),
        ("token-revoked everywhere", "token-revoked everywhere"),
        ("slow 1500ms", "slow 1500ms"),
        ("slow 20us/byte", "slow 20us/byte"),
        ("delay 20us/byte x 2", "slow 20us/byte x 2"),
        ("half-body x 3", "half-body x 3"),
        ("html 413 over 5000", "html 413 over 5000"),
        ("usage 80%", "usage 80"),
        ("partial 3", "partial 3"),
        ("200-error", "200-error"),
        ("error 100/2804087 x 1", "error 100/2804087 status 400 x 1"),
        ("error 190", "error 190 status 401"),
        (
            "error 2 status 503 for 250ms",
            "error 2 status 503 for 250ms",
        ),
    ] {
        let fault: Fault = text.parse().unwrap();
        assert_eq!(fault.to_string(), written, "{text}");
        assert_eq!(written.parse(), Ok(fault), "{text}");
    }
}

#[test]
fn scripts_have_lines_comments_and_semicolons() {
    let faults = parse_script("# a bad day\n\n500 x 1; 503 x 2 # twice\n\thang\n").unwrap();
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["500 x 1", "503 x 2", "hang"]);
}

#[test]
fn errors_say_where_what_and_what_would_be_right() {
    for (script, expected) in [
        (
            "500\nrest x 5",
            "line 2, \"rest x 5\": there is no fault \"rest\"; there are: a status",
        ),
        (
            "500 for 10",
            "after \"for\" has to come a time such as 10s, longer than 0, found \"10\"",
        ),
        (
            "500 for",
            "after \"for\" has to come a time such as 10s, longer than 0, found \"\"",
        ),
        (
            "html x 3",
            "after \"html\" has to come a status from 200 to 599, found \"x\"",
        ),
        (
            "500 twice",
            "\"twice\" says nothing here; after the fault may follow: for 10s",
        ),
        (
            "500 p=2",
            "after \"p=\" has to come a number from 0.000001 to 1, such as 0.01, found \"2\"",
        ),
        ("500 p=NaN", "a number from 0.000001 to 1"),
        ("500 p=0", "a number from 0.000001 to 1"),
        ("500 p=0.0000001", "a number from 0.000001 to 1"),
        ("500 for 0s", "longer than 0, found \"0s\""),
        (
            "500 for 5s for 6s",
            "\"for\" after \"for\" is one too many; leave one of them out",
        ),
        (
            "500 x 5 first",
            "\"first\" after \"x\" is one too many; leave one of them out",
        ),
        ("500 x5 x 5", "\"x\" after \"x5\" is one too many"),
        ("500 on 1 on 2", "\"on\" after \"on\" is one too many"),
        (
            "500 p=0.1 p=0.2",
            "\"p=0.2\" after \"p=0.1\" is one too many",
        ),
        ("500 late late", "\"late\" after \"late\""),
        (
            "throttle regain 1m regain 2m",
            "\"regain\" after \"regain\"",
        ),
        ("slow 2", "after \"slow\" has to come a time such as 2s"),
        ("slow 99999999999h", "a time such as 2s"),
        (
            "slow 20us",
            "a time such as 2s, or 20us/byte, found \"20us\"",
        ),
        ("slow 0us/byte", "found \"0us/byte\""),
        ("slow 1000001us/byte", "found \"1000001us/byte\""),
        (
            "slow 20us/byte late",
            "\"late\" does not go with this fault",
        ),
        (
            "usage 500%",
            "after \"usage\" has to come a number from 0 to 100, such as 80%, found \"500%\"",
        ),
        ("usage -1", "a number from 0 to 100"),
        ("usage +80", "a number from 0 to 100"),
        ("usage %", "a number from 0 to 100"),
        ("partial 0", "a number of events from 1, found \"0\""),
        ("500 x +5", "a number from 1, found \"+5\""),
        ("500 regain 5m", "\"regain\" does not go with this fault"),
        ("partial 3 late", "\"late\" does not go with this fault"),
        (
            "200",
            "there is no fault \"200\"; there are: a status from 400 to 599",
        ),
        ("dely 2s", "slow (or delay)"),
        (
            "500 x 0",
            "after \"x\" has to come a number from 1, found \"0\"",
        ),
        (
            "throttle 5",
            "after \"throttle\" has to come 4, 17, 32, 341, 613 or 80000 to 80014, found \"5\"",
        ),
        (
            "500 for 1m on abc",
            "after \"on\" has to come the id of a dataset, which is a number, found \"abc\"",
        ),
        ("500 on", "which is a number, found \"\""),
        ("500 on 12x", "which is a number, found \"12x\""),
        ("500 on -1", "which is a number, found \"-1\""),
        ("500 on 007", "which is a number, found \"007\""),
        ("500 on 99999999999999999999", "which is a number"),
    ] {
        let error = parse_script(script).unwrap_err().to_string();
        assert!(error.contains(expected), "{script}: {error}");
    }
}
