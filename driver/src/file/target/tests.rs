use super::*;
use tempfile::TempDir;

pub(super) const NAME: &str = "report.pdf";
pub(super) const PARTIAL: &str = ".ropeway-report.pdf.part";

pub(super) struct Scene {
    pub(super) folder: TempDir,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// A folder with these files in it.
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        let scene = Self::new();
        for (name, content) in files {
            fs::write(scene.path(name), content).expect("written");
        }
        scene
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn create(&self, existing: Existing) -> Result<Target, FileError> {
        Target::create(self.folder.path(), &name(), existing)
    }

    pub(super) fn resume(&self) -> Result<Option<Target>, FileError> {
        Target::resume(self.folder.path(), &name(), Existing::Refuse)
    }

    pub(super) fn target(&self, content: &str) -> Target {
        let mut target = self.create(Existing::Refuse).expect("created");
        target.write_at_end(content.as_bytes()).expect("written");
        target
    }

    /// All there is in the folder, with what it holds.
    pub(super) fn check(&self, what: &str, expected: &[(&str, &str)]) {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let path = entry.expect("listed").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap_or_else(|e| e.kind().to_string()))
        };
        let mut found: Vec<_> = fs::read_dir(self.folder.path()).expect("listed").map(entry).collect();
        found.sort();
        let found: Vec<_> = found.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
        assert_eq!(found, expected, "{what}");
    }
}

pub(super) fn name() -> SafeName {
    SafeName::new(NAME).expect("a safe name")
}

pub(super) fn digest(content: &str) -> [u8; 32] {
    *blake3::hash(content.as_bytes()).as_bytes()
}

#[track_caller]
pub(super) fn refused<T>(result: Result<T, FileError>) -> FileError {
    result.err().expect("refused")
}

#[test]
fn a_file_appears_complete_under_its_name() {
    for content in ["", "content"] {
        let scene = Scene::new();
        let target = scene.target(content);
        scene.check("while it is received", &[(PARTIAL, content)]);
        assert_eq!((target.length(), target.digest()), (content.len() as u64, digest(content)));
        assert_eq!(target.publish(Some(&digest(content))).expect("published"), scene.path(NAME));
        scene.check("when it is complete", &[(NAME, content)]);
    }
}

#[test]
fn a_wrong_digest_publishes_nothing() {
    for existing in [Existing::Refuse, Existing::Replace] {
        let scene = Scene::new();
        let mut target = scene.create(existing).expect("created");
        target.write_at_end(b"forged").expect("written");
        assert!(matches!(refused(target.publish(Some(&digest("content")))), FileError::Digest));
        scene.check("after a wrong digest", &[]);
    }
    let scene = Scene::with(&[(NAME, "old")]);
    let mut target = scene.create(Existing::Replace).expect("created");
    target.write_at_end(b"forged").expect("written");
    assert!(matches!(refused(target.publish(Some(&digest("content")))), FileError::Digest));
    scene.check("where there was a file", &[(NAME, "old")]);
}

#[test]
fn an_existing_file_is_refused_unless_asked_to_replace_it() {
    let old = [(NAME, "old")];
    let scene = Scene::with(&old);
    assert!(matches!(refused(scene.create(Existing::Refuse)), FileError::Exists));
    assert!(matches!(refused(scene.resume()), FileError::Exists));
    scene.check("after the refusal", &old);

    let mut target = scene.create(Existing::Replace).expect("created");
    target.write_at_end(b"new").expect("written");
    scene.check("while it is received", &[(PARTIAL, "new"), (NAME, "old")]);
    target.publish(None).expect("published");
    scene.check("when it is replaced", &[(NAME, "new")]);

    let scene = Scene::new();
    fs::create_dir(scene.path(NAME)).expect("a folder");
    assert!(matches!(refused(scene.create(Existing::Replace)), FileError::NotRegular));
}

#[test]
fn a_file_that_appears_meanwhile_is_never_replaced() {
    type Link = fn(&Path, &Path) -> io::Result<()>;
    let early = |scene: &Scene| fs::write(scene.path(NAME), "rival").expect("written");
    let links: [(&str, bool, Link); 3] = [
        ("before publishing", true, |from, to| second_name(from, to)),
        ("at the last moment", false, |from, to| fs::write(to, "rival").and_then(|()| second_name(from, to))),
        ("without hard links", false, |_, to| fs::write(to, "rival").and(Err(io::ErrorKind::Unsupported.into()))),
    ];
    for (when, before, link) in links {
        let scene = Scene::new();
        let target = scene.target("content");
        if before {
            early(&scene);
        }
        assert!(matches!(refused(target.publish_by(link)), FileError::Exists), "{when}");
        scene.check(when, &[(PARTIAL, "content"), (NAME, "rival")]);
    }
}

#[test]
fn a_file_system_without_hard_links_serves_as_well() {
    let scene = Scene::new();
    scene.target("content").publish_by(|_, _| Err(io::ErrorKind::PermissionDenied.into())).expect("published");
    scene.check("without hard links", &[(NAME, "content")]);
}

#[test]
fn a_second_transfer_of_a_name_is_busy() {
    let scene = Scene::new();
    let target = scene.target("content");
    assert!(matches!(refused(scene.create(Existing::Refuse)), FileError::Busy));
    assert!(matches!(refused(scene.create(Existing::Replace)), FileError::Busy));
    assert!(matches!(refused(scene.resume()), FileError::Busy));
    scene.check("after the refusals", &[(PARTIAL, "content")]);
    let other = SafeName::new("other").expect("a safe name");
    drop(Target::create(scene.folder.path(), &other, Existing::Refuse).expect("another name is free"));
    drop(target);
    drop(scene.resume().expect("free again").expect("something to resume"));
    assert!(scene.create(Existing::Refuse).is_ok());
}

#[test]
fn of_many_rivals_one_writes() {
    let scene = Scene::with(&[(PARTIAL, "stale")]);
    let start = std::sync::Barrier::new(8);
    let rounds = (0..50).map(|round| {
        let created = std::thread::scope(|scope| {
            let rival = || {
                start.wait();
                let created = scene.create(Existing::Refuse);
                start.wait();
                created.map(|mut target| target.write_at_end(b"stale again")).is_ok()
            };
            let rivals: Vec<_> = (0..8).map(|_| scope.spawn(rival)).collect();
            rivals.into_iter().map(|rival| rival.join().expect("no panic")).filter(|&created| created).count()
        });
        assert!(created <= 1, "{created} in round {round}");
        created
    });
    assert!(rounds.sum::<usize>() > 0);
}

#[test]
fn a_name_that_went_to_a_rival_before_the_lock_is_busy() {
    let scene = Scene::new();
    let path = scene.path(PARTIAL);
    let file = create_private(&path).expect("created");
    assert!(lock(&file, &path).is_ok());
    fs::rename(&path, scene.path("moved")).expect("moved");
    assert!(matches!(refused(lock(&file, &path)), FileError::Busy));
    fs::write(&path, "of a rival").expect("written");
    // Only unix tells one file from another.
    assert_eq!(lock(&file, &path).is_ok(), cfg!(not(unix)));
}

#[test]
fn what_is_left_behind_depends_on_how_it_ends() {
    type End = fn(Target);
    let ends: [(&str, End, bool); 4] = [
        ("dropped", drop, true),
        ("kept", |target| target.keep().expect("kept"), true),
        ("discarded", |target| target.discard().expect("discarded"), false),
        ("restarted", |mut target| target.restart().expect("restarted"), false),
    ];
    for (what, end, stays) in ends {
        for content in ["", "content"] {
            let scene = Scene::new();
            end(scene.target(content));
            let left = [(PARTIAL, content)];
            scene.check(what, if stays && !content.is_empty() { &left } else { &[] });
        }
    }
}

#[test]
fn a_partial_file_is_continued_and_its_digest_covers_all_of_it() {
    let scene = Scene::new();
    assert!(scene.resume().expect("nothing wrong").is_none());
    scene.target("first, ").keep().expect("kept");
    let mut target = scene.resume().expect("resumed").expect("something to resume");
    assert_eq!((target.length(), target.digest()), (7, digest("first, ")));
    target.write_at_end(b"second").expect("written");
    target.publish(Some(&digest("first, second"))).expect("published");
    scene.check("when it is complete", &[(NAME, "first, second")]);
}

#[test]
fn a_prefix_that_does_not_match_is_dropped() {
    let scene = Scene::with(&[(PARTIAL, "of another file, and longer")]);
    let mut target = scene.resume().expect("resumed").expect("something to resume");
    assert_ne!(target.digest(), digest("content"));
    target.restart().expect("restarted");
    scene.check("restarted", &[(PARTIAL, "")]);
    assert_eq!((target.length(), target.digest()), (0, digest("")));
    target.write_at_end(b"content").expect("written");
    target.publish(Some(&digest("content"))).expect("published");
    scene.check("when it is complete", &[(NAME, "content")]);
}

#[test]
fn what_a_crash_left_is_cleared_by_a_new_transfer() {
    let scene = Scene::with(&[(PARTIAL, "longer than what comes")]);
    scene.target("content").publish(Some(&digest("content"))).expect("published");
    scene.check("when it is complete", &[(NAME, "content")]);
}

#[test]
fn a_missing_folder_is_an_io_error() {
    let scene = Scene::new();
    let missing = scene.path("missing");
    let error = refused(Target::create(&missing, &name(), Existing::Refuse));
    assert!(matches!(&error, FileError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound));
    assert_eq!(error.to_string(), "could not create the partial file");
}

#[test]
fn targets_move_between_threads() {
    fn check<T: Send + 'static>() {}
    check::<Target>();
    check::<super::super::Source>();
    check::<FileError>();
}
