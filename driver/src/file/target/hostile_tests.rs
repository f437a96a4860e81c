//! What others who can write in the folder, and a disk without room, may do to a transfer.

use super::tests::{NAME, PARTIAL, Scene, digest, name, refused};
use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

const VICTIM: (&str, &str) = ("victim", "precious");

#[test]
fn a_link_in_the_partial_files_place_is_refused() {
    type Plant = fn(&Path, &Path);
    let plants: [(&str, Plant, &str); 4] = [
        ("link", |victim, place| symlink(victim, place).expect("linked"), "precious"),
        ("dangling link", |_, place| symlink("nowhere", place).expect("linked"), "entity not found"),
        ("folder", |_, place| fs::create_dir(place).expect("made"), "is a directory"),
        ("pipe", |_, place| assert!(Command::new("mkfifo").arg(place).status().expect("mkfifo runs").success()), ""),
    ];
    for (what, plant, shows) in plants {
        let scene = Scene::with(&[VICTIM]);
        plant(&scene.path(VICTIM.0), &scene.path(PARTIAL));
        assert!(matches!(refused(scene.create(Existing::Refuse)), FileError::NotRegular), "{what}");
        assert!(matches!(refused(scene.resume()), FileError::NotRegular), "{what}");
        if what != "pipe" {
            scene.check(what, &[(PARTIAL, shows), VICTIM]);
        }
    }
}

#[test]
fn a_hard_link_in_the_partial_files_place_is_never_written_to() {
    let scene = Scene::with(&[VICTIM]);
    fs::hard_link(scene.path(VICTIM.0), scene.path(PARTIAL)).expect("linked");
    assert!(matches!(refused(scene.resume()), FileError::NotOurs));
    scene.check("resumed", &[(PARTIAL, VICTIM.1), VICTIM]);
    scene.target("content").publish(None).expect("published");
    scene.check("created", &[(NAME, "content"), VICTIM]);
}

#[test]
fn a_partial_file_of_another_user_is_refused() {
    let scene = Scene::with(&[(PARTIAL, "planted")]);
    // Only root can give a file away; everybody else has no way to plant one in a test.
    if std::os::unix::fs::chown(scene.path(PARTIAL), Some(12345), None).is_ok() {
        assert!(matches!(refused(scene.resume()), FileError::NotOurs));
    }
}

#[test]
fn a_link_under_the_final_name_is_neither_followed_nor_replaced() {
    for victim in [VICTIM.0, "nowhere"] {
        let scene = Scene::with(&[VICTIM]);
        symlink(victim, scene.path(NAME)).expect("linked");
        assert!(matches!(refused(scene.create(Existing::Refuse)), FileError::Exists));
        assert!(matches!(refused(scene.create(Existing::Replace)), FileError::NotRegular));

        for (existing, expected) in [(Existing::Refuse, "the file exists"), (Existing::Replace, "not a regular file")] {
            let scene = Scene::with(&[VICTIM]);
            let mut target = scene.create(existing).expect("created");
            target.write_at_end(b"content").expect("written");
            symlink(victim, scene.path(NAME)).expect("linked");
            assert_eq!(refused(target.publish(None)).to_string(), expected);
            assert_eq!(fs::read_to_string(scene.path(VICTIM.0)).expect("read"), VICTIM.1);
            assert!(!scene.path("nowhere").exists());
        }
    }
}

#[test]
fn a_file_exchanged_before_publishing_is_not_published() {
    for existing in [Existing::Refuse, Existing::Replace] {
        let scene = Scene::with(&[VICTIM]);
        let mut target = scene.create(existing).expect("created");
        target.write_at_end(b"content").expect("written");
        fs::remove_file(scene.path(PARTIAL)).expect("removed");
        symlink(VICTIM.0, scene.path(PARTIAL)).expect("linked");
        assert!(matches!(refused(target.publish(None)), FileError::NotOurs));
        scene.check("exchanged", &[(PARTIAL, VICTIM.1), VICTIM]);
    }
}

#[test]
fn a_file_exchanged_while_publishing_is_told() {
    let scene = Scene::with(&[VICTIM]);
    let exchange = |partial: &Path, published: &Path| {
        fs::remove_file(partial)?;
        symlink("victim", partial)?;
        fs::hard_link(partial, published)
    };
    assert!(matches!(refused(scene.target("content").publish_by(exchange)), FileError::NotOurs));
    assert_eq!(fs::read_to_string(scene.path(VICTIM.0)).expect("read"), VICTIM.1);
    assert!(scene.path(PARTIAL).is_symlink(), "it is not ours to remove");
}

#[test]
fn an_end_removes_nothing_but_its_own_file() {
    for content in ["", "content"] {
        let scene = Scene::new();
        let target = scene.target(content);
        fs::remove_file(scene.path(PARTIAL)).expect("removed");
        fs::write(scene.path(PARTIAL), "foreign").expect("written");
        target.discard().expect("nothing to remove");
        scene.check("discarded", &[(PARTIAL, "foreign")]);
    }
}

#[test]
fn a_partial_file_is_private_and_a_published_one_is_as_any_other() {
    let mode = |path: PathBuf| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    let scene = Scene::with(&[("any other", "")]);
    let target = scene.target("content");
    assert_eq!(mode(scene.path(PARTIAL)), 0o600);
    target.publish(None).expect("published");
    assert_eq!(mode(scene.path(NAME)), mode(scene.path("any other")));
}

#[test]
fn a_full_disk_is_told_apart() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        return;
    };
    let scene = Scene::new();
    let place = Place::new(scene.folder.path(), &name(), Existing::Refuse);
    let mut target = Target { file: full, place, hasher: blake3::Hasher::new(), passing: false };
    assert!(matches!(refused(target.write_at_end(b"content")), FileError::Space(_)));
    assert_eq!(target.length(), 0);
}

const LIMITED: &str = "ROPEWAY_TEST_LIMITED_FOLDER";

/// Runs itself again in a process whose files may not grow beyond a limit, which cuts a write in two as a full disk does.
#[test]
fn a_file_that_found_no_room_goes_on_where_it_stopped() {
    let content = "0123456789abcdef".repeat(1 << 16);
    if let Some(folder) = std::env::var_os(LIMITED) {
        let mut target = Target::create(Path::new(&folder), &name(), Existing::Refuse).expect("created");
        assert!(matches!(refused(target.write_at_end(content.as_bytes())), FileError::Space(_)));
        let written = fs::metadata(target.place.partial()).expect("there").len();
        assert!(written > 0);
        assert_eq!(target.length(), written);
        assert_eq!(target.digest(), digest(&content[..target.length() as usize]));
        return;
    }
    let scene = Scene::new();
    let (_, module) = module_path!().split_once("::").expect("it is a module of a crate");
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().expect("its own path"))
        .arg(format!("{module}::a_file_that_found_no_room_goes_on_where_it_stopped"))
        .env(LIMITED, scene.folder.path())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.expect("a shell").success());

    let mut target = scene.resume().expect("resumed").expect("something to resume");
    let done = target.length() as usize;
    assert!((1..content.len()).contains(&done), "{done}");
    assert_eq!(target.digest(), digest(&content[..done]));
    target.write_at_end(&content.as_bytes()[done..]).expect("room again");
    target.publish(Some(&digest(&content))).expect("published");
    scene.check("when it is complete", &[(NAME, &content)]);
}
