# NixOS: services.emud.enable = true;
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.emud;
  # emud.toml's strings, numbers, truth values and lists are written as JSON's.
  toLine = name: value: "${name} = ${builtins.toJSON value}\n";
  configuration = pkgs.writeText "emud.toml" (lib.concatStrings (lib.mapAttrsToList toLine cfg.settings));
  # Verified and proved like every other emulator.
  install = pkgs.writeShellScript "emud-install-emulators" (
    lib.concatMapStrings (emulator: ''
      for file in ${emulator}/bin/qemu-*; do
        sum=$(${pkgs.coreutils}/bin/sha256sum "$file")
        ${cfg.package}/bin/emuctl emulator install --file "$file" --sha256 "''${sum%% *}"
      done
    '') cfg.emulators
  );
in
{
  options.services.emud = {
    enable = lib.mkEnableOption "emud, foreign-architecture builds under a lease";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The emud to use.";
    };

    group = lib.mkOption {
      type = lib.types.str;
      default = "emud";
      description = "The group whose members may use the host scope and the store.";
    };

    members = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "alice" ];
      description = "Users who are members of the group.";
    };

    emulators = lib.mkOption {
      type = lib.types.listOf lib.types.package;
      default = [ ];
      example = lib.literalExpression "[ pkgs.pkgsStatic.qemu-user ]";
      description = "Packages with static emulators (bin/qemu-ARCH) that are installed into emud's store.";
    };

    settings = lib.mkOption {
      type = lib.types.attrsOf (
        lib.types.oneOf [
          lib.types.bool
          lib.types.int
          lib.types.str
          (lib.types.listOf lib.types.str)
        ]
      );
      default = { };
      example = {
        private = "group";
        no-fetch = true;
        max-leases-per-user = 4;
      };
      description = "Keys of emud.toml(5).";
    };
  };

  config = lib.mkIf cfg.enable {
    services.emud.settings.group = lib.mkDefault cfg.group;

    environment.systemPackages = [ cfg.package ];
    environment.etc."emud/emud.toml".source = configuration;

    users.groups.${cfg.group}.members = cfg.members;
    # As whom downloads are parsed; not in the group above.
    users.groups.emud-fetcher = { };
    users.users.emud = {
      isSystemUser = true;
      group = "emud-fetcher";
      description = "emud's unprivileged helpers";
    };

    systemd.packages = [ cfg.package ];
    systemd.sockets.emud.wantedBy = [ "sockets.target" ];
    systemd.services.emud = {
      restartTriggers = [ configuration ];
      stopIfChanged = false;
    };
    systemd.services.emud-pins.wantedBy = [ "multi-user.target" ];
    systemd.services.emud-emulators = lib.mkIf (cfg.emulators != [ ]) {
      description = "Emulators of nixpkgs for emud";
      wantedBy = [ "multi-user.target" ];
      requires = [ "emud.socket" ];
      after = [ "emud.socket" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = install;
      };
    };
  };
}
