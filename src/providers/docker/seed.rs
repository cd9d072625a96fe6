//! First boot data as cloud-init's NoCloud data source reads it from a machine's disk, packed as the engine takes files:
//! a tar archive (POSIX.1-1988, "ustar"). Nothing of it shows in the container's description, as its environment would.

/// Where NoCloud looks, <https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html>.
const FOLDER: &str = "var/lib/cloud/seed/nocloud/";
const BLOCK: usize = 512;

/// The archive, to be unpacked at the root of the machine's disk. It may hold secrets: only root may read its files.
pub(super) fn nocloud(user_data: &str, meta_data: &str) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, text) in [("meta-data", meta_data), ("user-data", user_data)] {
        archive.extend(header(&format!("{FOLDER}{name}"), text.len()));
        archive.extend(text.as_bytes());
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

/// The header of a regular file of root, mode 0600.
fn header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    // The checksum counts itself as blanks.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_the_seed_that_was_packed() {
        let seed = nocloud("#cloud-config\n{}\n", "instance-id: one\n");
        assert_eq!(seed.len() % BLOCK, 0);
        let read = |arguments: &[&str]| {
            let mut tar = Command::new("tar")
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("tar is there");
            tar.stdin.take().expect("it is piped").write_all(&seed).expect("tar reads");
            String::from_utf8(tar.wait_with_output().expect("tar ends").stdout).expect("it is text")
        };
        let listed = read(&["-tvf", "-"]);
        assert!(listed.lines().all(|line| line.starts_with("-rw------- 0/0")), "{listed}");
        assert_eq!(listed.lines().count(), 2);
        assert_eq!(read(&["-xOf", "-", "var/lib/cloud/seed/nocloud/user-data"]), "#cloud-config\n{}\n");
        assert_eq!(read(&["-xOf", "-", "var/lib/cloud/seed/nocloud/meta-data"]), "instance-id: one\n");
    }
}
