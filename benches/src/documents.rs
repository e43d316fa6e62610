//! The documents: shaped as real ones are, the same in every run.

/// Small numbers that look random and are the same in every run (Numerical Recipes' generator).
struct Dice(u32);

impl Dice {
    fn roll(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % below
    }
}

fn entity(dice: &mut Dice) -> String {
    let (number, minute) = (dice.roll(100_000), dice.roll(60));
    format!(
        r#"{{
        "area_id": null,
        "config_entry_id": "01J{number:05}XK5V7Q2M4N8P9R{number:05}",
        "created_at": "2026-03-01T09:{minute:02}:44.110212+00:00",
        "device_class": "temperature",
        "disabled_by": null,
        "entity_id": "sensor.kitchen_temperature_{number}",
        "has_entity_name": true,
        "labels": [],
        "name": "Größe {number}",
        "options": {{"sensor": {{"display_precision": {}}}}},
        "platform": "mqtt",
        "unique_id": "0x00158d0003f1{number:06}_temperature"
      }}"#,
        minute % 4
    )
}

/// A pretty-printed registry of at least `bytes`.
pub(crate) fn registry(bytes: usize) -> Vec<u8> {
    let mut dice = Dice(7);
    let mut text = String::from("{\n  \"version\": 1,\n  \"data\": {\n    \"entities\": [\n      ");
    while text.len() < bytes {
        text.push_str(&entity(&mut dice));
        text.push_str(",\n      ");
    }
    text.push_str(&entity(&mut dice));
    text.push_str("\n    ]\n  }\n}\n");
    text.into_bytes()
}

pub(crate) fn state_files() -> Vec<Vec<u8>> {
    let mut dice = Dice(11);
    (0..2000).map(|_| registry(dice.roll(18_000) as usize + 1500)).collect()
}

pub(crate) fn tweets(count: usize) -> Vec<u8> {
    let mut dice = Dice(13);
    let statuses = (0..count).map(|_| {
        let id = 505_874_000_000_000_000_u64 + u64::from(dice.roll(1_000_000));
        format!(
            r#"{{"metadata":{{"result_type":"recent","iso_language_code":"ja"}},"created_at":"Sun Aug 31 00:29:{:02} +0000 2014","id":{id},"id_str":"{id}","text":"@aym0566x \n\n名前:前田あゆみ\n第一印象:なんか怖っ!\n今の印象:とりあえずキモい。噛み合わない\n好きなところ:ぶすでキモいとこ😋✨✨","source":"<a href=\"http:\/\/twitter.com\/download\/iphone\" rel=\"nofollow\">Twitter for iPhone<\/a>","truncated":false,"user":{{"id":{},"name":"AYUMI","location":"","followers_count":262,"following":false,"lang":"en"}},"entities":{{"hashtags":[],"urls":[],"user_mentions":[{{"indices":[0,9]}}]}},"favorited":false}}"#,
            dice.roll(60),
            dice.roll(2_000_000)
        )
    });
    format!("{{\"statuses\":[{}]}}", statuses.collect::<Vec<_>>().join(",")).into_bytes()
}

pub(crate) fn catalogue(count: usize) -> Vec<u8> {
    let mut dice = Dice(17);
    let events = (0..count).map(|_| {
        let id = 138_586_000 + dice.roll(1000);
        format!(
            "    {{\n            \"amount\": {},\n            \"audienceSubCategoryId\": {id},\n            \"seatCategoryId\": {id},\n            \"areas\": [\n                {{\n                    \"areaId\": {},\n                    \"blockIds\": []\n                }}\n            ]\n        }}",
            dice.roll(100_000),
            205_705_000 + dice.roll(999)
        )
    });
    format!("{{\n    \"events\": [\n    {}\n    ]\n}}\n", events.collect::<Vec<_>>().join(",\n")).into_bytes()
}

pub(crate) fn coordinates(count: usize) -> Vec<u8> {
    let mut dice = Dice(19);
    let pairs = (0..count).map(|_| {
        format!(
            "[-{}.{:06}{:06},{}.{:06}{:06}]",
            50 + dice.roll(90),
            dice.roll(1_000_000),
            dice.roll(1_000_000),
            40 + dice.roll(40),
            dice.roll(1_000_000),
            dice.roll(1_000_000)
        )
    });
    format!("{{\"type\":\"Polygon\",\"coordinates\":[[{}]]}}", pairs.collect::<Vec<_>>().join(",")).into_bytes()
}

/// What would be slow if anything were quadratic, or ask for much if anything recursed.
pub(crate) fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    const SIZE: usize = 64 << 20;
    let repeat = |unit: &str| unit.repeat(SIZE / unit.len()).into_bytes();
    let mut torn = registry(SIZE);
    torn.truncate(SIZE - 7);
    let mut flipped = registry(SIZE);
    let last = flipped.len() - 3;
    flipped[last] = b'?';
    vec![
        ("open brackets", repeat("[")),
        ("open objects", repeat("{\"a\":")),
        ("blanks", repeat(" \n")),
        ("NULs", vec![0; SIZE]),
        ("NUL, letter, NUL", repeat("ab\0cd")),
        ("open comments", repeat("/*")),
        ("line comments", repeat("//\n")),
        ("backslashes", [b"[\"", &repeat("\\")[..]].concat()),
        ("half a million values", repeat("{\"a\": 1}\n")),
        ("one long line of values", repeat("{} ")),
        ("merge markers", repeat("<<<<<<< a\n")),
        ("lines of braces", [b"x\n", &repeat("{\n")[..]].concat()),
        ("invalid UTF-8", vec![0xff; SIZE]),
        ("torn registry", torn),
        ("registry, last byte bad", flipped),
    ]
}
