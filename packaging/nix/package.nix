# emud built by Nix: pkgs.callPackage ./package.nix { }.
{
  lib,
  stdenv,
  cmake,
  ninja,
  pkg-config,
  boost,
  cli11,
  curl,
  fmt,
  libarchive,
  nlohmann_json,
  openssl,
  systemd,
  src ? lib.cleanSource ../..,
}:

stdenv.mkDerivation {
  pname = "emud";
  version = "0.1.0";
  inherit src;

  strictDeps = true;
  nativeBuildInputs = [
    cmake
    ninja
    pkg-config
  ];
  buildInputs = [
    boost
    cli11
    curl
    fmt
    libarchive
    nlohmann_json
    openssl
    systemd
  ];
  # The tests want root, QEMU and a Nix of their own: tests/run has them. emuctl is linked dynamically here.
  cmakeFlags = [ "-DEMUD_TESTS=OFF" ];

  meta = {
    description = "Run and build programs of other CPU architectures under a lease";
    license = lib.licenses.mit;
    platforms = lib.platforms.linux;
    mainProgram = "emuctl";
  };
}
