# nix build 'git+file:///path/to/emud?dir=packaging/nix'
{
  description = "emud: foreign-architecture builds under a lease";

  inputs.nixpkgs.url = "nixpkgs";

  outputs =
    { nixpkgs, ... }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "riscv64-linux"
      ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: rec {
        emud = pkgs.callPackage ./package.nix { };
        default = emud;
      });
      overlays.default = final: _: { emud = final.callPackage ./package.nix { }; };
      nixosModules.default = import ./module.nix;
    };
}
