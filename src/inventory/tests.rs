use proptest::prelude::*;

use super::*;

fn row(device: &str, branch: &str, model: &str, customer: &str) -> Row {
    let label = |text: &str| (!text.is_empty()).then(|| Label::from(text));
    Row {
        device: DeviceId::parse(device).unwrap(),
        branch: label(branch),
        model: label(model),
        customer: label(customer),
        contact: Contact::default(),
    }
}

fn faults_of(bytes: &[u8]) -> Vec<String> {
    read(bytes).expect_err("the list has faults").iter().map(Fault::to_string).collect()
}

#[test]
fn a_spreadsheets_file_is_read() {
    let text = "\u{feff}Model, customer ,DEVICE,branch\r\nB200,\"株式会社 山田, 本社\",B-0002,札幌-03\r\n\r\nB100,,B-0001,\r\n";
    assert_eq!(
        read(text.as_bytes()).unwrap(),
        [row("B-0001", "", "B100", ""), row("B-0002", "札幌-03", "B200", "株式会社 山田, 本社")]
    );
}

#[test]
fn columns_but_device_may_be_missing() {
    assert_eq!(read("device\nB-1".as_bytes()).unwrap(), [row("B-1", "", "", "")]);
}

#[test]
fn all_faults_come_at_once_with_their_lines() {
    let long = "x".repeat(65);
    let text =
        format!("device,branch\nB-1,a\nB 2,{long}\nB-1,b\nB-3\n\"B-4\",\"two\nlines\"\nB-5,{}\n", "あ".repeat(21));
    assert_eq!(
        faults_of(text.as_bytes()),
        [
            "line 3: branch is longer than 64 bytes (21 Japanese characters)",
            "line 3: device \"B 2\": a device id is 1 to 64 of A-Z a-z 0-9 _ -",
            "line 4: device B-1 stands on line 2 already",
            "line 5: 1 fields instead of 2: is there a comma without quotes?",
            "line 6: branch holds a control character or a line break",
        ]
    );
}

#[test]
fn headers_are_told_what_is_wrong_with_them() {
    assert_eq!(
        faults_of(b"serial,branch,Branch\nB-1,a,b"),
        [
            "line 1: unknown column \"serial\"; the first line names the columns: device,branch,model,customer,contact,phone,mail",
            "line 1: column Branch stands twice",
            "line 1: column device is missing; known columns: device,branch,model,customer,contact,phone,mail",
        ]
    );
    assert!(faults_of(b"")[0].contains("column device is missing"));
    assert_eq!(faults_of(b"device\n"), ["there is no device in the file"]);
}

#[test]
fn other_encodings_are_named() {
    let shift_jis = b"device,branch\nB-1,\x8eD\x96y\n"; // the branch is Sapporo
    let fault = &faults_of(shift_jis)[0];
    assert!(fault.starts_with("line 2:") && fault.contains("Shift_JIS") && fault.contains("iconv -f CP932"), "{fault}");
    let latin = b"device,branch\nB-1,Gen\xe8 ve\n";
    let fault = &faults_of(latin)[0];
    assert!(fault.contains("not UTF-8") && !fault.contains("Shift_JIS"), "{fault}");
    assert!(faults_of(b"\xff\xfed\0e\0")[0].contains("UTF-16"));
}

#[test]
fn faults_and_sizes_are_bounded() {
    let text = format!("device\n{}", "?\n".repeat(250));
    let faults = faults_of(text.as_bytes());
    assert_eq!((faults.len(), faults[100].as_str()), (101, "and 150 more faults"));
    let endless = std::io::repeat(b'a');
    let faults = read(endless).expect_err("too large");
    assert_eq!(faults[0].to_string(), format!("the file is larger than {MAX_BYTES} bytes"));
}

#[test]
fn formulas_are_defused() {
    let mut out = Vec::new();
    let rows = [row("-1", "=HYPERLINK(\"http://evil\")", "+1", "@SUM(A1)"), row("B-2", "＝1+1", "'=x", "it's")];
    write(&mut out, &rows).unwrap();
    assert_eq!(
        String::from_utf8(out.clone()).unwrap(),
        "device,branch,model,customer\r\n'-1,\"'=HYPERLINK(\"\"http://evil\"\")\",'+1,'@SUM(A1)\r\nB-2,'＝1+1,''=x,it's\r\n"
    );
    assert_eq!(read(out.as_slice()).unwrap(), rows);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        fields in prop::collection::vec(("[A-Za-z0-9_-]{1,8}", "(['=+@,\"-]{0,3}[^\\pC\\s]{1,5})?", "[あ-ん=＝']{0,6}"), 1..20)
    ) {
        let mut rows: Vec<Row> = fields.iter().map(|(device, branch, customer)| row(device, branch, "", customer)).collect();
        rows.sort_by(|a, b| a.device.cmp(&b.device));
        rows.dedup_by(|a, b| a.device == b.device);
        let mut out = Vec::new();
        write(&mut out, &rows).unwrap();
        prop_assert_eq!(read(out.as_slice()).unwrap(), rows);
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut with_header = b"device,branch\n".to_vec();
        with_header.extend(&bytes);
        for input in [bytes.as_slice(), &with_header] {
            if let Err(faults) = read(input) {
                prop_assert!(!faults.is_empty());
            }
        }
    }
}

#[test]
fn contacts_are_read_checked_and_written_only_where_there_are_any() {
    let text = "device,contact,phone,mail\r\nB-1,伊藤,+81 (11) 555-0100,ito@example.jp\r\nB-2,,,\r\n";
    let rows = read(text.as_bytes()).unwrap();
    let contact = &rows[0].contact;
    assert_eq!((contact.name.as_deref(), contact.mail.as_deref()), (Some("伊藤"), Some("ito@example.jp")));
    let mut written = Vec::new();
    write(&mut written, &rows).unwrap();
    assert_eq!(read(&written[..]).unwrap(), rows);
    assert!(String::from_utf8(written).unwrap().contains(",'+81 (11) 555-0100,"), "a spreadsheet must not add it up");
    let faults = faults_of("device,phone,mail\nB-1,０１１５５５,ito@\nB-2,12,a b@example.jp".as_bytes());
    assert_eq!(faults.len(), 4, "{faults:?}");
    let mut plain = Vec::new();
    write(&mut plain, &rows[1..]).unwrap();
    assert_eq!(plain, b"device,branch,model,customer\r\nB-2,,,\r\n");
}
