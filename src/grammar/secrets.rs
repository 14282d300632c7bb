//! Detects secrets in typed lines: such lines stay out of the history file.

use crate::wire::{hmp_line_has_secret, mentions_secret};

use super::word::tokenize;

/// Returns whether a typed line, finished or not, may contain a secret. Errs on the side of secrecy.
pub fn line_has_secret(line: &str) -> bool {
    mentions_secret(line) || tokenize(line).words.iter().any(|word| hmp_line_has_secret(word.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_lines_with_secrets() {
        for line in [
            "set_password protocol=vnc password=x",
            "set-password protocol=vnc password=x",
            "{\"execute\": \"set_password\", \"arguments\": {\"password\": ",
            "change-vnc-password password=x",
            "change-vnc-password x",
            "object-add qom-type=secret id=s data=x",
            "object-add qom-type=secret_keyring id=s",
            "  .hmp set_password vnc x",
            "object_add secret,id=s,data=x",
            "human-monitor-command command-line='set_password vnc x'",
            "guest-set-user-password username=root password=eA== crypted=false",
            "change vnc password x",
            "qom-set path=/objects/s property=data value=x",
            "set_pasword protocol=vnc password=x",
            "objectadd qom-type=secret id=s data=x",
            "set_pasword protocol=vnc pw=x",
            "set_password protocol=vnc passwd=x",
            ".hmp set_pasword vnc x",
            "chnge vnc pasword x",
            "blockdev-add driver=https url=https://u:x@h/p",
            "blockdev-add driver=https url=https://h/p cookie=x",
            "drive_add 0 if=none,file=rbd:pool/image:id=me:key=x",
            "migrate uri='exec:curl -T - ftp://u:x@h'",
            "guest-exec path=/usr/sbin/chpasswd input-data=x",
            ".connect 'exec:sshpass -p x ssh host'",
            "drive-mirror device=d target='json:{\"driver\": \"iscsi\", \"password\": \"x\"}'",
            "drive_add 0 if=none,file.driver=iscsi,file.password=x",
            "passwd=x",
        ] {
            assert!(line_has_secret(line), "{line}");
        }
        for line in [
            "query-status",
            "object-add qom-type=iothread id=i",
            "object-add qom-type=tls-creds-x509 id=t passwordid=s dir=/x",
            "blockdev-add driver=https url=https://h:80/p@q cookie-secret=s",
            "blockdev-add driver=qcow2 file=f data-file=g",
            "qom-get path=/objects/s property=data",
            "query-migrate-parameters",
            "change ide1-cd0 /tmp/a.iso",
            "expire_password protocol=vnc time=now",
            "blockdev-add driver=rbd node-name=n password-secret=sec0",
            "cont",
        ] {
            assert!(!line_has_secret(line), "{line}");
        }
    }
}
