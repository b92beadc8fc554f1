# The static libraries: so that the program is one file, also where it is not linked with -static.
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
find_package(ZLIB REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
target_link_libraries(pare_data ${scope} JPEG::JPEG PNG::PNG ZLIB::ZLIB)
