//! Certificates for servers that ask for TLS.

use std::fs;
use std::path::Path;
use std::process::Command;

/// `ca.pem`, a certificate authority; `server.key` and `server.pem`, a server's certificate by it, both
/// once more in `keystore.pem`; and `other-ca.pem`, another authority.
pub fn make_certificates(directory: &Path) {
    let openssl = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output();
        assert!(output.as_ref().is_ok_and(|output| output.status.success()), "{arguments}: {output:?}");
    };
    let request = "req -x509 -newkey rsa:2048 -nodes -days 30";
    openssl(&format!("{request} -keyout ca.key -out ca.pem -subj /CN=authority"));
    openssl(&format!("{request} -keyout other-ca.key -out other-ca.pem -subj /CN=other"));
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    fs::write(directory.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out server.pem",
    );
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    fs::write(directory.join("keystore.pem"), read("server.key") + &read("server.pem")).unwrap();
}
