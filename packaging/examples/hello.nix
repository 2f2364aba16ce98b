# A derivation for another architecture. `run` makes each build a new one, so that it is really built:
#   emuctl build -a aarch64 -- hello.nix --argstr run "$(date)"
# builder: aarch64-linux-gnu-gcc -static -o builder builder.c
{ run ? "" }:
derivation {
  name = "hello-aarch64";
  system = "aarch64-linux";
  builder = ./builder;
  inherit run;
}
