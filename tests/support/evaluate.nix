# Evaluates packaging/nix without nixpkgs: with a lib and pkgs that have just what it uses. Fails where it uses anything else, or
# names an option that it does not declare, or gives one a value that is not of its type. Result: what the flake's package and a machine with the module would have.
{ source }:
let
  lib = {
    mkOption = option: option // { isOption = true; };
    mkEnableOption = description: {
      isOption = true;
      type = lib.types.bool;
      default = false;
      inherit description;
    };
    mkIf = condition: content: if condition then content else { };
    mkDefault = value: value;
    literalExpression = text: text;
    cleanSource = path: path;
    concatStrings = builtins.concatStringsSep "";
    concatMapStrings = f: list: builtins.concatStringsSep "" (map f list);
    mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
    genAttrs =
      names: f:
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = f name;
        }) names
      );
    # A type says whether a value is of it.
    types = {
      package = value: builtins.isString value || value ? outPath;
      bool = builtins.isBool;
      str = builtins.isString;
      int = builtins.isInt;
      listOf = type: value: builtins.isList value && builtins.all type value;
      attrsOf = type: value: builtins.isAttrs value && builtins.all type (builtins.attrValues value);
      oneOf = types: value: builtins.any (type: type value) types;
    };
    licenses.mit = "MIT";
    platforms.linux = [ "x86_64-linux" ];
  };
  argument = name: "/stub/${name}";
  callPackage =
    file: given:
    let
      function = import file;
      wanted = builtins.functionArgs function;
      known = {
        inherit lib;
        stdenv.mkDerivation = attributes: attributes // { outPath = "/stub/emud"; };
      };
      needed = builtins.filter (name: !wanted.${name}) (builtins.attrNames wanted);
      arguments = builtins.listToAttrs (
        map (name: {
          inherit name;
          value = known.${name} or (argument name);
        }) needed
      );
    in
    function (arguments // given);
  pkgs = {
    inherit callPackage;
    coreutils = "/stub/coreutils";
    writeText = name: text: { inherit name text; };
    writeShellScript = name: text: { inherit name text; };
  };
  module =
    settings:
    let
      evaluated = import (source + "/module.nix") {
        inherit lib pkgs;
        config.services.emud = values;
      };
      declared = evaluated.options.services.emud;
      values = builtins.mapAttrs (name: option: option.default) declared // settings;
    in
    assert builtins.all (name: declared ? ${name}) (builtins.attrNames settings);
    assert builtins.all (name: declared.${name}.description != "") (builtins.attrNames declared);
    assert builtins.all (name: declared.${name}.type values.${name}) (builtins.attrNames declared);
    evaluated.config;
  flake = import (source + "/flake.nix");
  outputs = flake.outputs {
    nixpkgs = {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" "riscv64-linux" ] (_: pkgs);
    };
  };
  on = module {
    enable = true;
    members = [ "alice" ];
    emulators = [ "/stub/qemu" ];
    settings = {
      private = "group";
      max-leases = 4;
      no-fetch = true;
      mirror = [ "https://mirror.example.org/debian" ];
    };
  };
  isRefused = settings: !(builtins.tryEval (module settings)).success;
in
{
  off = module { };
  # By their types, each.
  refused = map isRefused [
    { enable = "yes"; }
    { group = 4; }
    { members = "alice"; }
    { emulators = [ 1 ]; }
    { settings.private = { }; }
    { settings.mirror = [ 1 ]; }
    { noSuchOption = true; }
  ];
  settings = on.environment.etc."emud/emud.toml".source.text;
  members = on.users.groups.emud.members;
  helperGroup = on.users.users.emud.group;
  units = builtins.attrNames on.systemd.services;
  install = on.systemd.services.emud-emulators.serviceConfig.ExecStart.text;
  package = {
    inherit (outputs.packages.x86_64-linux.default) pname version;
    overlay = (outputs.overlays.default pkgs { }).emud.version;
  };
  isModule = builtins.isFunction outputs.nixosModules.default;
}
