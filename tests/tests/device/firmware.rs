//! The device as an image, in an emulator.

use super::offences::offences;
use super::*;

/// The image that this variable of the environment names, in qemu: its serial port, and what comes of it.
async fn boot(image: &str) -> (TcpStream, JoinHandle<io::Result<Output>>) {
    let image = std::env::var_os(image).expect("the path of the image");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    let mut machine = tokio::process::Command::new("qemu-system-arm");
    machine.args(["-machine", "mps2-an386", "-cpu", "cortex-m4", "-display", "none", "-monitor", "none"]);
    machine.args(["-semihosting-config", "enable=on,target=native", "-serial", &format!("tcp:{address},nodelay=on")]);
    let output = tokio::spawn(machine.arg("-kernel").arg(image).kill_on_drop(true).output());
    (listener.accept().await.expect("it connects").0, output)
}

/// A peer that says this hears that goodbye.
async fn refused(port: &mut TcpStream, said: &[u8], error: PeerError) {
    port.write_all(said).await.expect("it reads");
    let (mut heard, goodbye) = (Vec::new(), bytes(&goodbye(error)));
    while !heard.ends_with(&goodbye) {
        heard.push(port.read_u8().await.expect("it goes on"));
    }
}

/// The image has done all that it should. Prints what it takes beyond the code: octets of stack at the deepest, as it says.
fn check_image(output: &Output, told: &Receiver<String>) {
    assert!(output.status.success(), "{output:?}");
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["up", "21.5 °C"]);
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

/// First with a peer that sends too much, then with one that keeps to the rules.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs qemu-system-arm and the image, in FIRMWARE"]
async fn the_firmware_talks_over_its_serial_line() {
    let talk = async {
        let (mut port, output) = boot("FIRMWARE").await;
        let (offence, error) = offences().swap_remove(0);
        refused(&mut port, &[hello(false, PEER), offence].concat(), error).await;
        let (server, told) = serve("mem://", FILE).await;
        server.serve_stream(TokioIo(port)).await;
        let output = output.await.expect("it does not panic").expect("it runs");
        check_image(&output, &told);
    };
    timeout(Duration::from_secs(120), talk).await.expect("it ends");
}

/// First with a peer that does not seal, then with one that has another secret, then with one that has the same.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs qemu-system-arm and the image, in FIRMWARE_SEALED"]
async fn the_sealed_firmware_talks_to_who_has_its_secret_alone() {
    let talk = async {
        let (mut port, output) = boot("FIRMWARE_SEALED").await;
        refused(&mut port, &hello(false, PEER), PeerError::NotSealed).await;
        let (other, untold) = serve_sealed([1; 32]).await;
        let (near, mut far) = duplex(4096);
        other.serve_stream(TokioIo(near)).await;
        // What it hangs up is not the serial line.
        let (mut said, mut heard) = ([0; 256], [0; 256]);
        loop {
            select! {
                len = port.read(&mut said) => {
                    // It may have gone.
                    let _ = far.write_all(&said[..len.expect("it goes on")]).await;
                }
                len = far.read(&mut heard) => match len.expect("a pipe does not fail") {
                    0 => break,
                    len => port.write_all(&heard[..len]).await.expect("it reads"),
                },
            }
        }
        assert_eq!(untold.try_iter().next(), None);
        let (server, told) = serve_sealed(PSK).await;
        server.serve_stream(TokioIo(port)).await;
        let output = output.await.expect("it does not panic").expect("it runs");
        check_image(&output, &told);
    };
    timeout(Duration::from_secs(240), talk).await.expect("it ends");
}
