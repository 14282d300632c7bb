//! The stored corpus: inputs found by fuzzing, checked for the same properties as in the fuzz targets.

use std::fs;
use std::path::Path;

use crate::properties;
use crate::support::skip::skip_optional;

#[test]
fn stored_inputs_keep_their_properties() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    // Cargo leaves packages inside a package out of its archive.
    if !fuzz.exists() {
        return skip_optional("the folder fuzz of the repository");
    }
    let corpus = fuzz.join("corpus");
    let mut folders: Vec<String> =
        fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    let names: Vec<&str> = properties::READERS.iter().map(|(name, _)| *name).collect();
    assert_eq!(folders, names, "a folder for each reader, and a reader for each folder");
    for (name, check) in properties::READERS {
        let mut count = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let data = fs::read(&path).unwrap();
            if let Err(panic) = std::panic::catch_unwind(|| check(&data)) {
                eprintln!("the failing input is {}", path.display());
                std::panic::resume_unwind(panic);
            }
            count += 1;
        }
        assert!(count >= 10, "`{name}` has only {count} stored inputs: the corpus is incomplete");
    }
}
