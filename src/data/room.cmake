find_package(ZLIB REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
target_link_libraries(pare_data ${scope} JPEG::JPEG PNG::PNG ZLIB::ZLIB)
