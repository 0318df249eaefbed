# The Debian package: `cmake --build BUILD --target package`, or cpack in the build directory.
#
# Which libraries it depends on, and from which version on, dpkg-shlibdeps reads from the programs.
install(FILES deploy/systemd/care360-lookup.service DESTINATION lib/systemd/system)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME care360-lookup)
set(CPACK_PACKAGE_CONTACT "care360-lookup maintainers <care360-lookup@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/times.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${CMAKE_CURRENT_LIST_DIR}/conffiles ${CMAKE_CURRENT_LIST_DIR}/postinst
    ${CMAKE_CURRENT_LIST_DIR}/prerm ${CMAKE_CURRENT_LIST_DIR}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)

# The bill of materials of the package and all that it depends on.
add_custom_target(sbom
    COMMAND ${CMAKE_CPACK_COMMAND} -G DEB
    COMMAND bash -c "exec ${PROJECT_SOURCE_DIR}/deploy/sbom care360-lookup_*.deb care360-lookup.cdx.json"
    WORKING_DIRECTORY ${PROJECT_BINARY_DIR} USES_TERMINAL VERBATIM)
add_dependencies(sbom care360-lookup care360-sim)
