//! File operations: an unmodified Linux program with Rust's standard library. Works in a fresh directory below the argument (default /tmp),
//! says what each step gave, and removes everything again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn work(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    let path = dir.join("poem.txt");
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    for line in 1..=5 {
        writeln!(file, "line {line} of a poem about capabilities")?;
    }
    println!("wrote {} bytes", file.metadata()?.len());
    file.seek(SeekFrom::Start(5))?;
    let mut digit = [0; 1];
    file.read_exact(&mut digit)?;
    println!("byte 5 is {:?}", char::from(digit[0]));
    drop(file);

    OpenOptions::new().append(true).open(&path)?.write_all(b"one more line\n")?;
    let lines = BufReader::new(File::open(&path)?).lines().collect::<io::Result<Vec<_>>>()?;
    println!("{} lines, the last is {:?}", lines.len(), lines[lines.len() - 1]);

    let copy = dir.join("copy.txt");
    println!("copied {} bytes", fs::copy(&path, &copy)?);
    fs::rename(&copy, dir.join("renamed.txt"))?;
    println!("after the rename the copy is {}", if copy.exists() { "still there" } else { "gone" });
    File::options().write(true).open(&path)?.set_len(12)?;
    println!("truncated to {:?}", fs::read_to_string(&path)?);
    let mut names: Vec<PathBuf> = fs::read_dir(dir)?.map(|entry| entry.map(|e| e.file_name().into())).collect::<io::Result<_>>()?;
    names.sort();
    println!("the directory holds {names:?}");

    let missing = File::open(dir.join("missing")).err().map(|error| error.kind());
    println!("opening a missing file: {missing:?}");
    println!("creating the directory again: {:?}", fs::create_dir(dir).err().map(|error| error.kind()));
    println!("removing a full directory: {}", if fs::remove_dir(dir).is_err() { "refused" } else { "worked" });

    let big: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
    fs::write(dir.join("big"), &big)?;
    println!("a file of {} bytes reads back {}", big.len(), if fs::read(dir.join("big"))? == big { "equal" } else { "DIFFERENT" });
    Ok(())
}

fn main() -> ExitCode {
    let base = std::env::args().nth(1).unwrap_or_else(|| String::from("/tmp"));
    let dir = Path::new(&base).join(format!("hedra-files-{}", std::process::id()));
    let result = work(&dir);
    let cleaned = fs::remove_dir_all(&dir);
    println!("cleaned up: {}", cleaned.is_ok() && !dir.exists());
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("files: {error}");
            ExitCode::FAILURE
        }
    }
}
