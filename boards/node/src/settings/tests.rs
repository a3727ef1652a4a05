use std::format;
use std::string::ToString;

use super::*;

const LEAST: &str = "relevo settings\nssid = Office\ninsecure = yes\n";

#[test]
fn the_example_is_read_as_it_stands() {
    let text = include_bytes!("../../../settings.example");
    let mut block = [0; BLOCK.end - BLOCK.start];
    block[..text.len()].copy_from_slice(text);
    let settings = read(&block);
    assert_eq!(
        (settings.ssid, settings.password),
        ("Office", "correct horse")
    );
    assert_eq!((settings.name, settings.key), ("pico-1", Some([0; 32])));
    assert_eq!(
        settings.seeds[0],
        Some("192.168.1.10:4000".parse().unwrap())
    );
    assert_eq!(settings.address, None);
}

#[test]
fn every_setting_is_taken() {
    let text = format!(
        "{LEAST}\r\n# a remark\n cluster=shop\naddress = 10.0.0.5/16\ngateway = 10.0.0.1\nport = 4100\ngroup = none\n\
         seed = 10.0.0.7:4001\nseed = 10.0.0.8\ncapacity = 8\nbackups = 2\nfrequency = 250\ndrop-time = 1500\n\
         key = {}\0rubbish",
        "0f".repeat(32)
    );
    let settings = read(text.as_bytes());
    assert_eq!(settings.cluster, "shop");
    let fixed = settings.address.unwrap();
    assert_eq!(
        (fixed.address, fixed.prefix),
        (Ipv4Addr::new(10, 0, 0, 5), 16)
    );
    assert_eq!(fixed.gateway, Some(Ipv4Addr::new(10, 0, 0, 1)));
    assert_eq!((settings.port, settings.group), (4_100, None));
    assert_eq!(settings.seeds.iter().flatten().count(), 2);
    assert_eq!(settings.key, Some([0x0f; 32]));
    let config = settings.config("pico", fixed.address);
    assert_eq!((config.capacity, config.backups), (8, 2));
    assert_eq!(config.drop_time, Duration::from_millis(1_500));
    assert!(!config.beacon);
}

#[test]
fn what_is_wrong_is_named_by_its_line() {
    let cases = [
        ("", 0, Problem::Heading),
        (
            "relevo settings\ninsecure = yes",
            0,
            Problem::Missing("ssid"),
        ),
        ("relevo settings\nssid = Office", 0, Problem::Missing("key")),
        ("relevo settings\nssid", 2, Problem::Line),
        ("relevo settings\n\nsid = Office", 3, Problem::Name),
        (
            "relevo settings\npassword = short",
            2,
            Problem::Value("8 to 63 bytes"),
        ),
        (
            "relevo settings\nkey = 0g",
            2,
            Problem::Value("64 hexadecimal digits"),
        ),
        (
            "relevo settings\nport = 0",
            2,
            Problem::Value("a number above 0"),
        ),
        (
            "relevo settings\naddress = 10.0.0.5",
            2,
            Problem::Value("such as 192.168.1.50/24"),
        ),
        (
            "relevo settings\naddress = 10.0.0.5/33",
            2,
            Problem::Value("such as 192.168.1.50/24"),
        ),
    ];
    for (text, line, problem) in cases {
        let block = format!("{text}\0");
        assert_eq!(
            refusal(block.as_bytes()),
            SettingsError { line, problem },
            "{text}"
        );
    }
}

#[test]
fn rules_that_the_core_refuses_and_flash_that_was_never_written_are_refused() {
    let text = format!("{LEAST}frequency = 500\ndrop-time = 600\0");
    assert!(matches!(
        refusal(text.as_bytes()).problem,
        Problem::Value(_)
    ));
    assert_eq!(refusal(&[0xff; 4_096]).problem, Problem::Text);
    assert_eq!(refusal(&[0; 4_096]).problem, Problem::Heading);
}

#[test]
fn a_refusal_never_shows_the_line() {
    let error = refusal(b"relevo settings\npasword = secret horse\0");
    assert_eq!(error.to_string(), "line 2: no setting has this name");
}

fn read(block: &[u8]) -> Settings<'_> {
    Settings::parse(block).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(block: &[u8]) -> SettingsError {
    Settings::parse(block).err().expect("it is refused")
}
