use proptest::prelude::*;

use super::*;
use crate::engine::time::Timestamp;

/// (at, topic, payload, retain).
type Message = (i64, String, Vec<u8>, bool);

fn messages(text: &[u8]) -> Result<Vec<Message>, RecordingError> {
    let mut reader = Reader::new(text);
    let mut all = Vec::new();
    while let Some(line) = reader.next()? {
        if let Line::Message(entry) = line {
            all.push((entry.at.as_ms(), entry.topic.to_owned(), entry.payload.to_vec(), entry.retain));
        }
    }
    Ok(all)
}

fn message_of(text: &str) -> String {
    messages(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_lines_of_the_design_are_read() {
    let text = br#"
        {"at":1795305600123,"topic":"utm/v1/B-0042/report","payload":{"v":1, "x" : [1,{"y":"}"}] }}
        {"topic":"utm\/v1\/B-1\/report","payload_b64":"AQID","at":5,"later":"ignored","retain":false}

        {"at":6,"topic":"t","payload":{},"retain":true}
    "#;
    let read = messages(text).unwrap();
    assert_eq!(read[0].2, br#"{"v":1, "x" : [1,{"y":"}"}] }"#, "the payload's own bytes, spaces and all");
    assert_eq!(read[1], (5, "utm/v1/B-1/report".into(), vec![1, 2, 3], false));
    assert_eq!(read[2], (6, "t".into(), b"{}".to_vec(), true));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let good = "{\"at\":1,\"topic\":\"t\",\"payload\":{}}\n";
    let told = |line: &str| message_of(&format!("{good}\n{line}\n"));
    assert!(told("nonsense").starts_with("line 3 is not a JSON object: expected `{` at byte 0"));
    assert!(told("{\"at\":1").starts_with("line 3 is not a JSON object"));
    assert_eq!(told("{\"topic\":\"t\",\"payload\":{}}"), "line 3 has no `at`");
    assert_eq!(told("{\"at\":1,\"payload\":{}}"), "line 3 has no `topic`");
    assert_eq!(told("{\"at\":1,\"topic\":\"t\"}"), "line 3 has no `payload`");
    assert!(told("{\"at\":1.5,\"topic\":\"t\",\"payload\":{}}").starts_with("line 3: `at` is not an instant"));
    assert!(told("{\"at\":-1,\"topic\":\"t\",\"payload\":{}}").starts_with("line 3: `at` is not an instant"));
    assert!(told("{\"at\":99999999999999999999,\"topic\":\"t\",\"payload\":{}}").starts_with("line 3: `at`"));
    assert_eq!(told("{\"at\":1,\"topic\":7,\"payload\":{}}"), "line 3: `topic` is not a text");
    assert!(
        told("{\"at\":1,\"topic\":\"t\",\"payload_b64\":\"%\"}").starts_with("line 3: `payload_b64` is not base64")
    );
    assert!(told("{\"at\":1,\"topic\":\"t\",\"payload_b64\":7}").starts_with("line 3: `payload_b64` is not base64"));
    assert!(told("{\"at\":1,\"topic\":\"t\",\"payload\":{},\"payload_b64\":\"AQ==\"}").contains("both"));
    assert!(told("{\"at\":1,\"topic\":\"t\",\"payload\":{},\"retain\":1}").contains("`retain` is not true or false"));
    assert!(told("{\"at\":1,\"at\":2,\"topic\":\"t\",\"payload\":{}}").contains("`at` occurs twice"));
    assert!(told("{\"at\":1,\"topic\":\"t\",\"payload\":{}} x").contains("expected the end of the line"));
    assert!(told("{\"baseline\":\"AQ==\"}").contains("before the first message"));
    assert!(told(&"[".repeat(100_000)).contains("not a JSON object"));
    assert!(told(&format!("{{\"at\":{}1", "[".repeat(100_000))).contains("bad value at byte 6"));
}

#[test]
fn a_line_that_does_not_end_is_given_up_at_the_limit() {
    let mut endless = io::BufReader::new(io::repeat(b'a'));
    let mut reader = Reader::new(&mut endless);
    assert!(matches!(reader.next(), Err(RecordingError::TooLong { line: 1 })));
    assert!(reader.line.capacity() <= 2 * MAX_LINE_BYTES + 64 * 1024);
}

#[test]
fn learnt_state_of_any_size_comes_back_from_the_first_lines() {
    let state: Vec<u8> = (0..500_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let mut writer = Writer::new(Vec::new());
    writer.baseline(&state).unwrap();
    writer.message(Entry { at: Timestamp::from_ms(9), topic: "t", payload: b"{}", retain: false }).unwrap();
    let text = writer.into_inner();
    let mut reader = Reader::new(text.as_slice());
    let (mut read, mut messages) = (Vec::new(), 0);
    while let Some(line) = reader.next().unwrap() {
        match line {
            Line::Baseline(piece) => read.extend_from_slice(piece),
            Line::Message(_) => messages += 1,
        }
    }
    assert_eq!((read == state, messages), (true, 1));
}

#[test]
fn an_object_stays_readable_and_anything_else_is_kept_as_base64() {
    let written = |payload: &[u8]| {
        let mut writer = Writer::new(Vec::new());
        writer.message(Entry { at: Timestamp::from_ms(1), topic: "a\"b", payload, retain: true }).unwrap();
        String::from_utf8(writer.into_inner()).unwrap()
    };
    assert_eq!(written(br#"{"v":1}"#), "{\"at\":1,\"topic\":\"a\\\"b\",\"payload\":{\"v\":1},\"retain\":true}\n");
    for other in [&b"{\"v\":\n1}"[..], b"{\"v\":1} ", b"{broken", b"\x01\x02", b"", b"[1]", b"{\"v\":\"\xFF\"}"] {
        assert!(written(other).contains("payload_b64"), "{other:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_byte_by_byte(
        at in 0i64..=253_402_300_799_999,
        topic in ".{0,80}",
        payload in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            r#"\{"[a-z]{1,5}" ?: ?[0-9]{1,9}(,"k":\["x",\{\}\])?\}"#.prop_map(String::into_bytes),
        ],
        retain: bool,
    ) {
        let mut writer = Writer::new(Vec::new());
        let entry = Entry { at: Timestamp::from_ms(at), topic: &topic, payload: &payload, retain };
        writer.message(entry).unwrap();
        writer.message(entry).unwrap();
        let text = writer.into_inner();
        prop_assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 2);
        let read = messages(&text).unwrap();
        prop_assert_eq!(&read[0], &(at, topic.clone(), payload.clone(), retain));
        prop_assert_eq!(&read[0], &read[1]);
    }

    #[test]
    fn no_line_makes_the_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = messages(&text);
    }
}
