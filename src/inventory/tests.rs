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

fn rows_of(bytes: &[u8]) -> Vec<Row> {
    read(bytes).expect("the list has no fault").rows
}

fn notes_of(bytes: &[u8]) -> Vec<String> {
    read(bytes).expect("the list has no fault").notes.iter().map(Fault::to_string).collect()
}

fn faults_of(bytes: &[u8]) -> Vec<String> {
    read(bytes).expect_err("the list has faults").iter().map(Fault::to_string).collect()
}

#[test]
fn a_spreadsheets_file_is_read() {
    let text = "\u{feff}Model, customer ,DEVICE,branch\r\nB200,\"株式会社 山田, 本社\",B-0002,札幌-03\r\n\r\nB100,,B-0001,\r\n";
    assert_eq!(
        rows_of(text.as_bytes()),
        [row("B-0001", "", "B100", ""), row("B-0002", "札幌-03", "B200", "株式会社 山田, 本社")]
    );
}

#[test]
fn columns_but_device_may_be_missing() {
    assert_eq!(rows_of(b"device\nB-1"), [row("B-1", "", "", "")]);
}

#[test]
fn all_faults_come_at_once_with_their_lines() {
    let long = "札".repeat(129);
    let text = format!(
        "device,branch\nB-1,a\nB 2,{long}\nB-1,b\nB-3\nB-4,a,b\n\"B-5\",\"two\nlines\"\nB-6,{}\n",
        "あ".repeat(128)
    );
    assert_eq!(
        faults_of(text.as_bytes()),
        [
            "line 3: branch is longer than 128 characters",
            "line 3: device \"B 2\": a device id is 1 to 64 of A-Z a-z 0-9 _ -",
            "line 4: device B-1 stands on line 2 already",
            "line 6: 3 fields instead of 2: is there a separator without quotes?",
        ]
    );
    assert_eq!(
        rows_of(b"device,branch\nB-3\n\"B-5\",\"two\nlines\"\n"),
        [row("B-3", "", "", ""), row("B-5", "two lines", "", "")]
    );
}

#[test]
fn rows_and_columns_without_content_are_no_data() {
    let two = [row("B-0001", "sapporo-01", "B200", "C1"), row("B-0002", "sapporo-01", "B200", "C2")];
    for text in [
        "device,branch,model,customer\r\nB-0001,sapporo-01,B200,C1\r\nB-0002,sapporo-01,B200,C2\r\n,,,\r\n,,,\r\n",
        "device,branch,model,customer,,\r\nB-0001,sapporo-01,B200,C1,,\r\nB-0002,sapporo-01,B200,C2,,\r\n",
        ",,,,\r\n,device,branch,model,customer\r\n,B-0001,sapporo-01,B200,C1\r\n , \t,\r\n,B-0002,sapporo-01,B200,C2,,,\r\n",
        "device,branch,model,customer\nB-0001,sapporo-01,B200,C1\n\"\",\"\"\nB-0002,sapporo-01,B200,C2",
    ] {
        assert_eq!(rows_of(text.as_bytes()), two, "{text}");
    }
    let hundred = format!("device,branch\n{}B 2,a\n", ",\n".repeat(100));
    assert_eq!(faults_of(hundred.as_bytes()), ["line 102: device \"B 2\": a device id is 1 to 64 of A-Z a-z 0-9 _ -"]);
    assert_eq!(
        faults_of(b"device,,branch\nB-1,x,a\nB-2,y,b\n"),
        ["line 2: column 2 has content here and no name in the first line"]
    );
}

#[test]
fn whatever_separates_the_fields_is_found() {
    let one = [row("B-0001", "a,b", "B200", "C1")];
    for text in [
        "device;branch;model;customer\r\nB-0001;a,b;B200;C1\r\n",
        "sep=;\r\ndevice;branch;model;customer\r\nB-0001;a,b;B200;C1\r\n",
        "\"sep=;\"\ndevice;branch;model;customer\nB-0001;a,b;B200;C1\n",
        "device\tbranch\tmodel\tcustomer\nB-0001\ta,b\tB200\tC1\n",
        "sep=\t\ndevice\tbranch\tmodel\tcustomer\nB-0001\ta,b\tB200\tC1\n",
        "SEP=|\ndevice|branch|model|customer\nB-0001|a,b|B200|C1\n",
        "device,branch,model,customer\nB-0001,\"a,b\",B200,C1\n",
    ] {
        assert_eq!(rows_of(text.as_bytes()), one, "{text}");
        assert_eq!(rows_of(format!("\u{feff}{text}").as_bytes()), one, "{text}");
    }
    assert_eq!(
        faults_of(b"sep=;\ndevice;branch\nB 1;a"),
        ["line 3: device \"B 1\": a device id is 1 to 64 of A-Z a-z 0-9 _ -"]
    );
}

#[test]
fn one_name_in_several_writings_is_one_name_and_is_told() {
    let text = "device,branch,model,customer\nB-1,シ\u{3099}ャハ\u{309a}ン支店,B200,C1\nB-2,ジャパン支店,B200,C2\n\
                B-3,ｼﾞｬﾊﾟﾝ支店,Ｂ２００,C3\nB-4,ジャパン支店\u{200b},B200,C4\nB-5,ジャパン支店,B200,C5\n";
    assert!(rows_of(text.as_bytes()).iter().all(|row| row.branch.as_deref() == Some("ジャパン支店")));
    let notes = notes_of(text.as_bytes());
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].starts_with("line 2: branch \"ジャパン支店\" is written in another way on line 3, 4, 5"),
        "{notes:?}"
    );
    assert!(notes[1].starts_with("line 2: model \"B200\"") && notes[1].contains("line 4 "), "{notes:?}");
    assert_eq!(rows_of("device,branch\nＢ－１,a\n".as_bytes()), [row("B-1", "a", "", "")]);
}

#[test]
fn what_keeps_a_spreadsheet_from_adding_up_is_no_part_of_it() {
    let rows = rows_of("device,branch,phone\nB-1,=\"007\",=\"090-1234-5678\"\nB-2,'=x,'+81 90\n".as_bytes());
    assert_eq!((rows[0].branch.as_deref(), rows[0].contact.phone.as_deref()), (Some("007"), Some("090-1234-5678")));
    assert_eq!((rows[1].branch.as_deref(), rows[1].contact.phone.as_deref()), (Some("=x"), Some("+81 90")));
}

#[test]
fn a_number_without_its_zero_is_told_and_kept() {
    let text = "device,phone\nB-1,090-1234-5678\nB-2,9087654321\nB-3,+81 3 1111 2222\nB-4,110\n";
    let notes = notes_of(text.as_bytes());
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("line 3: phone \"9087654321\"") && notes[0].contains("dropped the zero"), "{notes:?}");
    assert_eq!(rows_of(text.as_bytes())[1].contact.phone.as_deref(), Some("9087654321"));
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
fn the_encodings_of_spreadsheets_are_read() {
    let shift_jis = b"device,branch\r\nB-1,\x8eD\x96y\r\n";
    let one = [row("B-1", "札幌", "", "")];
    assert_eq!(rows_of(shift_jis), one);
    assert!(notes_of(shift_jis)[0].contains("Shift_JIS"), "{:?}", notes_of(shift_jis));
    let unicode_text: Vec<u8> =
        "\u{feff}device\tbranch\r\nB-1\t札幌\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(rows_of(&unicode_text), one);
    assert_eq!(notes_of(&unicode_text), Vec::<String>::new());
    let latin = b"device,branch\nB-1,Gen\xe8 ve\n";
    assert_eq!(faults_of(latin), ["the file is neither UTF-8 nor Shift_JIS (line 2): save it as UTF-8"]);
    assert!(faults_of(b"\xff\xfed\0\x00\xd8e\0")[0].contains("UTF-16"));
}

#[test]
fn faults_and_sizes_are_bounded() {
    let text = format!("device\n{}", "?\n".repeat(250));
    let faults = read(text.as_bytes()).expect_err("the list has faults");
    assert_eq!((faults.len(), &*faults[20].to_string()), (21, "and 230 more"));
    assert_eq!(faults.iter().map(|fault| fault.count).sum::<usize>(), 250);
    let endless = std::io::repeat(b'a');
    let faults = read(endless).expect_err("too large");
    assert_eq!(faults[0].to_string(), format!("the file is larger than {MAX_BYTES} bytes"));
}

#[test]
fn formulas_are_defused() {
    let mut out = Vec::new();
    let rows = [row("-1", "=HYPERLINK(\"http://evil\")", "+1", "@SUM(A1)"), row("B-2", "=1+1", "'=x", "it's")];
    write(&mut out, &rows).unwrap();
    assert_eq!(
        String::from_utf8(out.clone()).unwrap(),
        "device,branch,model,customer\r\n'-1,\"'=HYPERLINK(\"\"http://evil\"\")\",'+1,'@SUM(A1)\r\nB-2,'=1+1,''=x,it's\r\n"
    );
    assert_eq!(rows_of(&out), rows);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        fields in prop::collection::vec(("[A-Za-z0-9_-]{1,8}", "(['=+@,\"-]{0,3}[^\\pC\\s]{1,5})?", "[あ-ん=＝']{0,6}"), 1..20)
    ) {
        let form = |text: &str| label::form(text).into_owned();
        let mut rows: Vec<Row> =
            fields.iter().map(|(device, branch, customer)| row(device, &form(branch), "", &form(customer))).collect();
        rows.sort_by(|a, b| a.device.cmp(&b.device));
        rows.dedup_by(|a, b| a.device == b.device);
        let mut out = Vec::new();
        write(&mut out, &rows).unwrap();
        prop_assert_eq!(rows_of(&out), rows);
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
    let rows = rows_of(text.as_bytes());
    let contact = &rows[0].contact;
    assert_eq!((contact.name.as_deref(), contact.mail.as_deref()), (Some("伊藤"), Some("ito@example.jp")));
    let mut written = Vec::new();
    write(&mut written, &rows).unwrap();
    assert_eq!(rows_of(&written), rows);
    assert!(String::from_utf8(written).unwrap().contains(",'+81 (11) 555-0100,"), "a spreadsheet must not add it up");
    let faults = faults_of("device,phone,mail\nB-1,夜間,ito@\nB-2,12,a b@example.jp".as_bytes());
    assert_eq!(faults.len(), 4, "{faults:?}");
    let mut plain = Vec::new();
    write(&mut plain, &rows[1..]).unwrap();
    assert_eq!(plain, b"device,branch,model,customer\r\nB-2,,,\r\n");
}
