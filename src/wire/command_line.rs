//! The rules for which command lines contain a secret: those of programs that QEMU, its guest or the shell runs.

/// Names of options, variables and headers whose values are secret, or parts of such names.
const SECRET_NAMES: &[&str] = &[
    "passw",
    "passphrase",
    "passwd",
    "pwd",
    "secret",
    "token",
    "credential",
    "apikey",
    "api-key",
    "accesskey",
    "access-key",
    "privatekey",
    "authorization",
    "bearer",
    "cookie",
];

/// Whole parts of names whose values are secret, too short to be searched for within a part.
const SECRET_NAME_PARTS: &[&str] = &["pass", "pw", "auth", "pin", "psk"];

/// The beginnings of names of programs that take a password as an argument or in an option of one letter.
const SECRET_PROGRAMS: &[&str] = &[
    "expect",
    "ftp",
    "ipmitool",
    "ldap",
    "lftp",
    "mariadb",
    "mongo",
    "mosquitto",
    "mysql",
    "ncftp",
    "openssl",
    "rdesktop",
    "redis-cli",
    "smbclient",
    "sqlplus",
    "sshpass",
    "useradd",
    "usermod",
    "xfreerdp",
];

/// Options of one letter that take `USER:PASSWORD` or `USER%PASSWORD` in many programs.
const LOGIN_OPTIONS: &[&str] = &["-u", "-U"];

/// Returns whether a command line, or a text that contains one in any quoting, has a secret in it. Errs on the side of
/// secrecy.
pub(crate) fn command_line_has_secret(text: &str) -> bool {
    let separates = |c: char| c.is_whitespace() || "\"'`()[]{}<>|;&,".contains(c);
    let words: Vec<&str> = text.split(separates).filter(|word| !word.is_empty()).collect();
    words.iter().any(|word| has_secret_name(word) || names_secret_program(word))
        || words.iter().enumerate().any(|(at, word)| has_login(word, words.get(at + 1).copied()))
}

/// Returns whether a word such as `--password=x`, `PGPASSWORD=x` or `Authorization:` names a secret.
fn has_secret_name(word: &str) -> bool {
    let name = word.split(['=', ':']).next().unwrap_or(word).to_lowercase().replace('_', "-");
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
        || name.split(|c: char| !c.is_alphanumeric()).any(|part| SECRET_NAME_PARTS.contains(&part))
}

/// Returns whether a word is the path of a program that takes passwords, also after `path=` or `exec:`.
fn names_secret_program(word: &str) -> bool {
    let name = word.rsplit(['/', '=', ':', '!']).next().unwrap_or(word);
    SECRET_PROGRAMS.iter().any(|program| name.starts_with(program))
}

/// Returns whether a word is an option, also after `arg.0=`, with `USER:PASSWORD` as its value, attached or in the next word.
fn has_login(word: &str, next: Option<&str>) -> bool {
    let is_login = |value: &str| value.contains([':', '%']);
    let option_word = word.rsplit('=').next().unwrap_or(word);
    LOGIN_OPTIONS.iter().any(|option| match option_word.strip_prefix(option) {
        Some("") => next.is_some_and(is_login),
        Some(value) => is_login(value),
        None => false,
    }) || word.starts_with("--") && word.contains("user") && (is_login(word) || next.is_some_and(is_login))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_secrets_in_every_spelling() {
        for line in [
            "exec:sshpass -p x ssh h 'cat > f'",
            "!mysql -px db",
            "!/usr/bin/mysqldump -u root -px db",
            "PGPASSWORD=x psql",
            "env AWS_SECRET_ACCESS_KEY=x aws s3 cp - s3://b",
            "curl -u user:x https://h",
            "curl -uuser:x https://h",
            "curl --user user:x https://h",
            "curl --proxy-user=user:x https://h",
            "curl -H 'Authorization: Bearer x' https://h",
            "tool --password=x",
            "tool --db-pass x",
            "tool --api_key x",
            "openssl enc -k x",
            "echo x | passwd --stdin root",
            "[\"/usr/bin/redis-cli\",\"-a\",\"x\"]",
            "guest-exec path=/usr/bin/curl arg.0=-u arg.1=user:x",
            "guest-exec path=/usr/bin/ldapsearch arg=[\"-w\", \"x\"]",
        ] {
            assert!(command_line_has_secret(line), "{line}");
        }
        for line in [
            "exec:cat > /tmp/vm.mig",
            "exec:gzip -c > /tmp/vm.gz",
            "exec:ssh -p 22 host socat - UNIX:/run/vm.sock",
            "!ls -lu dir",
            "!mkdir -p dir",
            "!find . -path ./x -print",
            "!sort -u file",
            "guest-exec path=/bin/ls arg=[\"-l\", \"/tmp\"] capture-output=true",
        ] {
            assert!(!command_line_has_secret(line), "{line}");
        }
    }
}
