//! A device list as a spreadsheet may leave it; what was read can be written, and is then the same list.

use fleetwatch::inventory;

use crate::edit;

const LIST: &str = "device,branch,model,customer,contact,phone,mail\r\n\
                    B-0001,札幌支店,B200,C-00001,佐藤,011-222-3333,sato@example.jp\r\n\
                    B-0002,\"Sapporo, north\",B100,C-00002,,+81112223334,\r\n";

/// Once, with these bytes.
pub fn run(data: &[u8]) {
    let list = match data.split_first() {
        Some((kind, edits)) if kind % 2 == 0 => edit::edited(LIST.as_bytes(), edits),
        _ => data.to_vec(),
    };
    let Ok(list) = inventory::read(list.as_slice()) else { return };
    let mut written = Vec::new();
    inventory::write(&mut written, &list.rows).expect("memory takes it");
    let again = inventory::read(written.as_slice()).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(again.rows, list.rows);
}
