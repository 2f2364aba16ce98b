# install_configured(SOURCE DESTINATION): installs a file in which @bindir@, @sbindir@, @libexecdir@, @datadir@ and @version@ are
# replaced. That happens when it is installed, not when the build is configured, so that `cmake --install --prefix DIR` (and
# DESTDIR) put the right paths in. DESTINATION: absolute, or relative to the prefix, with the file's name.
function(install_configured source destination)
  get_filename_component(source ${source} ABSOLUTE)
  install(CODE "
    set(prefix \"\${CMAKE_INSTALL_PREFIX}\")
    foreach(pair IN ITEMS bindir=${CMAKE_INSTALL_BINDIR} sbindir=${CMAKE_INSTALL_SBINDIR} datadir=${CMAKE_INSTALL_DATADIR}/emud
                          libexecdir=${CMAKE_INSTALL_LIBEXECDIR}/emud destination=${destination})
      string(REGEX MATCH \"^([a-z]+)=(.*)\$\" pair \"\${pair}\")
      set(name \"\${CMAKE_MATCH_1}\")
      cmake_path(ABSOLUTE_PATH CMAKE_MATCH_2 BASE_DIRECTORY \"\${prefix}\" NORMALIZE OUTPUT_VARIABLE \${name})
    endforeach()
    set(version \"${PROJECT_VERSION}\")
    message(STATUS \"Installing: \$ENV{DESTDIR}\${destination}\")
    configure_file(\"${source}\" \"\$ENV{DESTDIR}\${destination}\" @ONLY
                   FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${destination}\")
  ")
endfunction()
