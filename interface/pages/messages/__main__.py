from interface.pages.messages import main

main()
